import { randomBytes, randomFillSync } from "node:crypto";

/** Randomness, injected so that a seed repeats a run. */
export interface Random {
  bytes(count: number): Buffer;
}

const pooledBytes = 4_096;

/** The operating system's generator. Asked for some at a time: a call to it costs more than the bytes. */
export const systemRandom: Random = openSystemRandom();

function openSystemRandom(): Random {
  const pool = Buffer.allocUnsafeSlow(pooledBytes);
  let used = pooledBytes;
  return {
    bytes(count) {
      if (count > pooledBytes / 4) return randomBytes(count);
      if (used + count > pooledBytes) {
        randomFillSync(pool);
        used = 0;
      }
      const taken = Buffer.from(pool.subarray(used, used + count));
      pool.fill(0, used, used + count);
      used += count;
      return taken;
    },
  };
}

/** A repeatable generator (mulberry32) for tests, demos and simulations; never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    bytes(count) {
      const out = Buffer.allocUnsafe(count);
      for (let i = 0; i < count; i++) out[i] = next() & 0xff;
      return out;
    },
  };
}

/** `bytes` random bytes as lower-case hex; 16 bytes make an id of 32 characters. */
export function randomHex(random: Random, bytes = 16): string {
  return random.bytes(bytes).toString("hex");
}

/** An integer in [0, below). */
export function randomBelow(random: Random, below: number): number {
  return random.bytes(6).readUIntBE(0, 6) % below;
}
