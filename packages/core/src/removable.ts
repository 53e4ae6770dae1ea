/** A place where a pipeline keeps something of its own, which goes with it. */
export interface Removable {
  /** For messages: `primary main`, `replica reports`, `event log`. */
  readonly place: string;

  /**
   * What of it is there, each in a few words; empty where nothing is. Changes nothing. Rejects with
   * `still-in-use` while a run uses it.
   */
  remnants(signal: AbortSignal): Promise<readonly string[]>;

  /** Removes that, and nothing else; may be called again. */
  remove(signal: AbortSignal): Promise<void>;
}
