/** The parts of package-lock.json that matter here. */
export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const processors = ["arm", "arm64", "ia32", "ppc64", "riscv64", "s390x", "x64"];

/**
 * Adds an entry for every optional package of another platform that a lock names but does not hold.
 * The platform is read from the name (`@oxfmt/binding-darwin-arm64`); a name that tells none is left out.
 */
export function completeLock(lock: Lock): Lock {
  const packages = new Map(Object.entries(lock.packages));
  for (const { name, version, dev } of missingPackages(lock)) {
    const words = name.split(/[/-]/);
    const os = words.find((word) => systems.includes(word));
    const cpu = words.find((word) => processors.includes(word));
    const isMusl = words.some((word) => word.startsWith("musl"));
    if (os === undefined) continue;
    packages.set(`node_modules/${name}`, {
      version,
      ...(dev ? { dev } : {}),
      optional: true,
      os: [os],
      ...(cpu === undefined ? {} : { cpu: [cpu] }),
      ...(os === "linux" ? { libc: [isMusl ? "musl" : "glibc"] } : {}),
    });
  }
  const sorted = [...packages].sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...lock, packages: Object.fromEntries(sorted) };
}

/** Optional packages, of whatever platform, that a lock names but does not hold. */
export function missingPackages(lock: Lock): { name: string; version: string; dev: boolean }[] {
  return Object.values(lock.packages).flatMap((holder) =>
    Object.entries(holder.optionalDependencies ?? {})
      .filter(([name]) => lock.packages[`node_modules/${name}`] === undefined)
      .map(([name, version]) => ({ name, version, dev: holder.dev === true })),
  );
}
