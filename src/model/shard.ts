/** Which part of a listing is wanted (contract 2.11). Modulus 0 or 1 filters nothing. */
export interface Shard {
  readonly fileNumber: number;
  readonly fileModulus: number;
  readonly blockNumber: number;
  readonly blockModulus: number;
}

/** Everything. */
export const wholeShard: Shard = { fileNumber: 0, fileModulus: 1, blockNumber: 0, blockModulus: 1 };
