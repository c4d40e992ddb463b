/** An event as it came. */
export interface ReadEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

/** A client of server-sent events, as browsers have one; comments are counted. */
export class EventReader {
  readonly status: number;
  comments = 0;
  private readonly parts: AsyncIterator<Uint8Array>;
  private readonly gone: AbortController;
  private text = "";

  private constructor(answer: Response, gone: AbortController) {
    this.status = answer.status;
    this.parts = answer.body![Symbol.asyncIterator]();
    this.gone = gone;
  }

  /** Opens a stream; a refusal is one too, whose text rest() gives. */
  static async open(
    url: string,
    {
      headers = {},
      ...init
    }: { method?: string; body?: string; headers?: Record<string, string> } = {},
  ): Promise<EventReader> {
    const gone = new AbortController();
    const answer = await fetch(url, {
      ...init,
      headers: { accept: "text/event-stream", ...headers },
      signal: AbortSignal.any([gone.signal, AbortSignal.timeout(20_000)]),
    });
    return new EventReader(answer, gone);
  }

  /** The next event; undefined at the end of the stream. */
  async next(): Promise<ReadEvent | undefined> {
    for (;;) {
      const end = this.text.indexOf("\n\n");
      if (end < 0) {
        const { done, value } = await this.parts.next();
        if (done === true) return undefined;
        this.text += Buffer.from(value).toString("utf8");
        continue;
      }
      const lines = this.text.slice(0, end).split("\n");
      this.text = this.text.slice(end + 2);
      if (lines[0]!.startsWith(":")) this.comments++;
      const event = fieldOf(lines, "event");
      if (event === undefined) continue;
      return {
        event,
        id: fieldOf(lines, "id"),
        data: JSON.parse(fieldOf(lines, "data") ?? "null"),
      };
    }
  }

  /** The next events. */
  async take(count: number): Promise<ReadEvent[]> {
    const events: ReadEvent[] = [];
    while (events.length < count) events.push((await this.next())!);
    return events;
  }

  /** All events to the end of the stream. */
  async all(): Promise<ReadEvent[]> {
    const events: ReadEvent[] = [];
    for (let next = await this.next(); next !== undefined; next = await this.next())
      events.push(next);
    return events;
  }

  /** What is left, as it comes. */
  async rest(): Promise<string> {
    while (await this.next());
    return this.text;
  }

  /** Goes away in the middle. */
  leave(): void {
    this.gone.abort();
  }
}

function fieldOf(lines: readonly string[], name: string): string | undefined {
  return lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
}
