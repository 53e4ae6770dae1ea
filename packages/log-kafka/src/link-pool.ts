import type { LeaderLink } from "./leader-link.ts";

/**
 * Links for long polls: a broker answers the requests of one connection in turn, so a reader that is behind
 * would wait for one that waits at the end. As many as ever wait at once.
 */
export class LinkPool implements AsyncDisposable {
  readonly #newLink: () => LeaderLink;
  readonly #all: LeaderLink[] = [];
  readonly #idle: LeaderLink[] = [];

  constructor(newLink: () => LeaderLink) {
    this.#newLink = newLink;
  }

  async use<T>(work: (link: LeaderLink) => Promise<T>): Promise<T> {
    const link = this.#idle.pop() ?? this.#add();
    try {
      return await work(link);
    } finally {
      this.#idle.push(link);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map(async (link) => await link[Symbol.asyncDispose]()));
  }

  #add(): LeaderLink {
    const link = this.#newLink();
    this.#all.push(link);
    return link;
  }
}
