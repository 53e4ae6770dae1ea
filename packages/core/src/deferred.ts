/** A promise that is settled from outside; settling it again does nothing. A rejection nobody awaits is kept quiet. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  #settle: { resolve: (value: T) => void; reject: (reason: unknown) => void } | undefined;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => (this.#settle = { resolve, reject }));
    this.promise.catch(() => undefined);
  }

  resolve(value: T): void {
    this.#settle?.resolve(value);
  }

  reject(reason: unknown): void {
    this.#settle?.reject(reason);
  }
}
