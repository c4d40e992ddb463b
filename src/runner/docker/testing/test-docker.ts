import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, copyFile, mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** Says where the Docker of the tests is; the test services start one. */
export const dockerVariable = "MAMMOTH_TEST_DOCKER";

/** A real Docker daemon, or the reason why there is none. */
export const testDocker: { readonly address: string; readonly skip: string | false } = {
  address: process.env[dockerVariable] ?? "",
  skip:
    process.env[dockerVariable] === undefined
      ? `there is no Docker here: ${dockerVariable} is not set`
      : false,
};

/** Calls the command-line client of Docker; what it printed. */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await exec("docker", ["--host", testDocker.address, ...args]);
  return stdout.trim();
}

export const images = {
  /** A shell and the usual tools. */
  shell: "mammoth-test/shell:1",
  /** One program, nothing else. */
  single: "mammoth-test/single:1",
  /** Built in the old way: its entry point would run something of its own. */
  shim: "mammoth-test/job-shim:1",
  python: "mammoth-test/python:2",
} as const;

const tools = (
  "sh env cat ls head date sleep touch rm printf true setsid grep mkdir chmod chown ln mkfifo mknod " +
  "dd truncate id stat seq kill wc tail cp mount umount unshare chroot readlink"
).split(" ");

/** Makes the images that are not there yet, from programs of this machine. */
export async function makeImages(...wanted: (keyof typeof images)[]): Promise<void> {
  for (const name of wanted) {
    const there = await docker("images", "--quiet", images[name]);
    if (there === "") await makers[name](images[name]);
  }
}

const makers: Readonly<Record<keyof typeof images, (name: string) => Promise<void>>> = {
  shell: async (name) => await importTree(name, toolsInto),
  single: async (name) =>
    await importTree(name, async (root) => {
      await copyFile(await which("busybox"), join(root, "cat"));
    }),
  shim: async (name) => await importTree(name, toolsInto, 'ENTRYPOINT ["/job-shim"]'),
  python: async (name) =>
    await importTree(
      name,
      async (root) => {
        await toolsInto(root);
        await pythonInto(root);
      },
      `ENV PATH=${dirname(await pythonProgram())}:/usr/bin:/bin`,
      "ENV GREETING=hello",
    ),
};

/** An image of a folder that `fill` fills. */
async function importTree(
  name: string,
  fill: (root: string) => Promise<void>,
  ...changes: string[]
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "mammoth-image-"));
  try {
    await fill(root);
    for (const folder of ["etc", "tmp", "usr/share"])
      await mkdir(join(root, folder), { recursive: true });
    await exec("chmod", ["1777", join(root, "tmp")]);
    await exec("chmod", ["755", root]);
    await importFolder(root, name, changes);
  } finally {
    await rm(root, { recursive: true });
  }
}

async function importFolder(root: string, name: string, changes: string[]): Promise<void> {
  const tar = spawn("tar", ["-C", root, "-c", "."], { stdio: ["ignore", "pipe", "inherit"] });
  const flags = changes.flatMap((change) => ["--change", change]);
  const importing = spawn("docker", ["--host", testDocker.address, "import", ...flags, "-", name], {
    stdio: [tar.stdout, "ignore", "inherit"],
  });
  const [code] = (await once(importing, "exit")) as [number];
  if (code !== 0) throw new Error(`docker import ${name} failed`);
}

async function toolsInto(root: string): Promise<void> {
  await mkdir(join(root, "bin"), { recursive: true });
  await mkdir(join(root, "usr"));
  await symlink("../bin", join(root, "usr/bin"));
  for (const tool of tools) {
    const program = await realpath(await which(tool));
    await copyFile(program, join(root, "bin", tool));
    await librariesInto(root, program);
  }
}

async function pythonProgram(): Promise<string> {
  const { stdout } = await exec("python3", ["-c", "import sys; print(sys.executable)"]);
  return stdout.trim();
}

async function pythonInto(root: string): Promise<void> {
  const program = await pythonProgram();
  const { stdout } = await exec(program, ["-c", "import os; print(os.path.dirname(os.__file__))"]);
  const library = stdout.trim();
  await mkdir(join(root, dirname(program)), { recursive: true });
  await copyFile(await realpath(program), join(root, program));
  await librariesInto(root, program);
  await mkdir(join(root, library), { recursive: true });
  const left = [
    "test",
    "tests",
    "idlelib",
    "site-packages",
    "dist-packages",
    "config-*",
    "ensurepip",
  ];
  const flags = [...left, "tkinter", "lib2to3"].map((name) => `--exclude=${name}`);
  const copy = 'tar -C "$1" "${@:3}" -c . | tar -C "$2" -x';
  await exec("bash", ["-c", copy, "copy", library, join(root, library), ...flags]);
  for (const name of ["binascii", "zlib"]) {
    const find = `import ${name}; print(getattr(${name}, "__file__", "/bin/sh"))`;
    const { stdout: module } = await exec(program, ["-c", find]);
    await librariesInto(root, module.trim());
  }
}

/** Copies what a program is linked with, to the same places. */
async function librariesInto(root: string, program: string): Promise<void> {
  const { stdout } = await exec("ldd", [program]).catch(() => ({ stdout: "" }));
  for (const [path] of stdout.matchAll(/\/\S+(?= \(0x)/g)) {
    const target = join(root, path);
    if (await exists(target)) continue;
    await mkdir(dirname(target), { recursive: true });
    await copyFile(path, target);
  }
}

async function which(tool: string): Promise<string> {
  const { stdout } = await exec("sh", ["-c", 'command -v "$1"', "sh", tool], {
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  const path = stdout.trim();
  return path.startsWith("/") ? path : `/bin/${tool}`;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
