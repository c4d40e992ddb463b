/** Long enough to be for ever: the caller's connection or deadline ends first. */
export const foreverMs = 365 * 24 * 3_600_000;
