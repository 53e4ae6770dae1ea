/** A replica that can be left as it is for a while. That it is so is stored in the replica, and outlives every run. */
export interface Pausable {
  readonly replica: string;

  /**
   * From now on nothing is applied to it: what is under way is rolled back. Resolves with false where that was so
   * before. Rejects with `not-begun` for a replica that no run has begun.
   */
  pause(signal: AbortSignal): Promise<boolean>;

  /** It goes on from where it was. Resolves with false where it was not paused. */
  resume(signal: AbortSignal): Promise<boolean>;
}
