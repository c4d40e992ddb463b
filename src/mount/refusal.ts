import { constants } from "node:os";

const numbers = constants.errno;

/** The name of an error that a program sees when its system call fails. */
export type Errno = keyof typeof numbers;

/** Why a volume does not do what it was asked: what the program that asked is told. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: Errno;

  constructor(code: Errno, options: { cause?: unknown } = {}) {
    // An answer like others, many times a second: where it was thrown would cost more than all the rest of it.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(code, options);
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
  }
}

/** The number that the operating system has for an error. */
export function errnoNumber(code: Errno): number {
  return numbers[code];
}
