/** Structured log: facts first, then what happened. The shape of pino, so pino fits without a wrapper. */
export interface Log {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** Says nothing. */
export const silentLog: Log = { debug: noop, info: noop, warn: noop, error: noop };

function noop(): void {}
