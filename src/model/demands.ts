import { z } from "zod";

/** What a user's program asks of the machine, beside its image and command. */
export interface Demands {
  /** `UID`, `UID:GID` or names. */
  readonly user?: string;
  readonly workingDir?: string;
  readonly resources?: {
    /** Processors, such as 0.5. */
    readonly cpu?: number;
    readonly memoryBytes?: number;
  };
  readonly network?: "none" | "bridge" | "host";
}

const unitBytes: Readonly<Record<string, number>> = {
  "": 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  KI: 2 ** 10,
  MI: 2 ** 20,
  GI: 2 ** 30,
  TI: 2 ** 40,
};

/** Docker takes no less. */
const memoryBytesMin = 6 * 2 ** 20;

/** `512Mi`, `512MiB`, `2G`, `1.5GB`, or bytes as a number. */
export const memorySize = z.union([z.number(), z.string()]).transform((given, context): number => {
  const [, count = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([KMGT]i?)?B?$/i.exec(String(given)) ?? [];
  const bytes = Math.floor(Number(count) * (unitBytes[unit.toUpperCase()] ?? 0));
  if (count !== "" && bytes >= memoryBytesMin && Number.isSafeInteger(bytes)) return bytes;
  context.addIssue({
    code: "custom",
    message: `cannot use "${given}": give a size such as 512Mi or 2G, at least 6Mi`,
  });
  return z.NEVER;
});

/** `0.5`, `2`, `500m`. */
const cpu = z.union([z.number(), z.string()]).transform((given, context): number => {
  const [, count = "", milli] = /^(\d+(?:\.\d+)?)(m)?$/.exec(String(given)) ?? [];
  const cpus = Number(count) / (milli === undefined ? 1 : 1_000);
  if (count !== "" && cpus >= 0.01 && cpus <= 10_000) return cpus;
  context.addIssue({
    code: "custom",
    message: `cannot use "${given}": give processors, such as 0.5, 2 or 500m`,
  });
  return z.NEVER;
});

const absolute = z.string().regex(/^\/[^\0]*$/, "expected an absolute path");
const user = z
  .string()
  .regex(/^[\w.-]+(:[\w.-]+)?$/, "expected USER or USER:GROUP, by number or by name");

/** Of a spec: what stands in `transform`. */
export const transformDemands = {
  user: z.union([user, z.number().int().nonnegative().transform(String)]).optional(),
  workingDir: absolute.optional(),
};

/** Of a spec: what stands beside `transform`. */
export const specDemands = {
  resources: z.strictObject({ cpu: cpu.optional(), memory: memorySize.optional() }).optional(),
  network: z.enum(["none", "bridge", "host"]).optional(),
};

/** The fields that were given, and no others: what a job is depends on them. */
export function demandsOf(
  transform: { user?: string | undefined; workingDir?: string | undefined },
  spec: {
    resources?: { cpu?: number | undefined; memory?: number | undefined } | undefined;
    network?: "none" | "bridge" | "host" | undefined;
  },
): Demands {
  const resources = {
    ...(spec.resources?.cpu === undefined ? {} : { cpu: spec.resources.cpu }),
    ...(spec.resources?.memory === undefined ? {} : { memoryBytes: spec.resources.memory }),
  };
  return {
    ...(transform.user === undefined ? {} : { user: transform.user }),
    ...(transform.workingDir === undefined ? {} : { workingDir: transform.workingDir }),
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
    ...(spec.network === undefined ? {} : { network: spec.network }),
  };
}
