/**
 * Pieces from one that gives to one that takes, without a queue: give() settles when the next piece is asked for, so
 * who gives may use its memory again. Taken from once.
 */
export class Handoff implements AsyncIterable<Uint8Array> {
  private piece: Uint8Array | undefined;
  private ended: { readonly error?: unknown } | undefined;
  private given = Promise.withResolvers<void>();
  private taken = Promise.withResolvers<void>();
  private refused: { readonly error: unknown } | undefined;

  /** @throws what refuse() was given */
  async give(piece: Uint8Array): Promise<void> {
    this.throwIfRefused();
    this.piece = piece;
    this.taken = Promise.withResolvers<void>();
    this.given.resolve();
    await this.taken.promise;
    this.throwIfRefused();
  }

  /** There is no more. */
  end(): void {
    this.ended ??= {};
    this.given.resolve();
  }

  /** There will be no more, and who takes is told why. */
  fail(error: unknown): void {
    this.ended ??= { error };
    this.given.resolve();
  }

  /** Nobody takes any more, and who gives is told why. */
  refuse(error: unknown): void {
    this.refused ??= { error };
    this.taken.resolve();
  }

  private throwIfRefused(): void {
    if (this.refused !== undefined) throw this.refused.error;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      await this.given.promise;
      const { piece } = this;
      if (piece === undefined) break;
      this.piece = undefined;
      this.given = Promise.withResolvers<void>();
      if (this.ended !== undefined) this.given.resolve();
      yield piece;
      this.taken.resolve();
    }
    if (this.ended !== undefined && "error" in this.ended) throw this.ended.error;
  }
}
