// Goal: whoever asks for MapReduce, and however, gets the same answer: that of a shell. Method: word count and inverted
// index of the same files by every door, in any number of partitions, with and without combiner; MAMMOTH_TEST_TEXTS
// names a folder of texts to be read instead of made-up ones.
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { probeNamespaces } from "../../src/runner/index.ts";
import { openShell, type Shell } from "./testing/curl-shell.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const probe = await probeNamespaces();

const words = "tr -cs A-Za-z '\\n' | grep .";

/** What is asked for; answers are lines of a word and a number, or of a word and the files that have it. */
const questions = {
  count: {
    shell: `cat * | ${words} | sort | uniq -c | awk '{ print $2 "\\t" $1 }'`,
    mapper: `export LC_ALL=C; ${words} | sed 's/$/\\t1/'`,
    reducer: `awk -F'\\t' '$1 != k { if (NR > 1) print k "\\t" n; k = $1; n = 0 } { n += $2 } END { if (NR) print k "\\t" n }'`,
  },
  index: {
    shell: `for f in *; do < $f ${words} | sort -u | sed "s/$/\\t$f/"; done | sort | awk -F'\\t' '$1 != k { if (NR > 1) print l; k = $1; l = $1 "\\t" $2; next } { l = l " " $2 } END { print l }'`,
    mapper: `export LC_ALL=C; ${words} | sort -u | sed "s/$/\\t\${PACH_INPUT_FILE##*/}/"`,
    reducer: `awk -F'\\t' '$1 != k { if (NR > 1) print l; k = $1; l = $1 "\\t" $2; next } { l = l " " $2 } END { if (NR) print l }'`,
  },
} as const;
type Question = keyof typeof questions;

/** Gives the lines of an answer, in any order. */
type Door = (shell: Shell, question: Question) => Promise<string>;

let outputs = 0;

function streaming(partitions: number, hasCombiner: boolean): Door {
  return async ({ daemon }, question) => {
    const { mapper, reducer } = questions[question];
    const output = `out${++outputs}`;
    const sizes = ["--partitions", `${partitions}`, "--split", "file"];
    const combiner = hasCombiner ? ["--combiner", reducer] : [];
    const what = ["--input", "data/master/texts", "--output", output, ...sizes, ...combiner];
    await daemon.ok(["mapreduce", ...what, "--mapper", mapper, "--reducer", reducer]);
    let all = "";
    for (let i = 0; i < partitions; i++)
      all += await daemon.ok(["get-file", output, "master/0", `part-0000${i}`]);
    return all;
  };
}

/** Counts or finds words on `/map`, and puts such answers together on `/reduce`. */
const server = `
import collections, http.server, os, re, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = collections.defaultdict(list)
        if self.path == "/map":
            for word in re.findall(rb"[A-Za-z]+", body):
                found[word].append(self.headers["X-File"].encode())
        else:
            for line in body.splitlines():
                word, value = line.split(b"\\t")
                found[word] += value.split()
        isCount = sys.argv[1] == "count"
        lines = []
        for word, values in sorted(found.items()):
            if not isCount:
                value = b" ".join(sorted(set(values)))
            elif self.path == "/map":
                value = b"%d" % len(values)
            else:
                value = b"%d" % sum(map(int, values))
            lines.append(word + b"\\t" + value + b"\\n")
        answer = b"".join(lines)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`;

const webServer: Door = async (shell, question) => {
  const command = ["python3", "-c", server, question];
  for (const [name, job] of [
    [`map${question}`, { type: "map", input: "texts", command }],
    [question, { type: "reduce", input: `job/map${question}`, command }],
  ] as const) {
    shell.write("job.json", JSON.stringify(job));
    await shell.prints(`curl -XPOST pfs/job/${name} -T job.json`);
  }
  const read = `curl pfs/job/${question}/file/*?commit=$(curl -XPOST pfs/commit?run)`;
  return await shell.prints(read);
};

/** Counts or finds words with the functions of the library. */
const program = `
import re
import mapreduce
isCount = mapreduce.args()["question"] == "count"

def map(input, emit):
    with mapreduce.open(input) as file:
        words = re.findall(rb"[A-Za-z]+", file.read())
    for word in words if isCount else set(words):
        emit(word, 1 if isCount else input.rsplit("/", 1)[1])

def reduce(key, values, emit):
    emit(key, sum(int(value) for value in values) if isCount else b" ".join(sorted(set(values))))

mapreduce.run(map, reduce)
`;

const library: Door = async (shell, question) => {
  const { daemon, folder } = shell;
  const name = `library-${question}`;
  shell.write("words.py", program);
  const shipped = ["mapreduce.py", "mapreduce_places.py"].map((file) =>
    fileURLToPath(new URL(`../../sdk/python/mammoth/${file}`, import.meta.url)),
  );
  const files = [join(folder, "words.py"), ...shipped].flatMap((file) => ["--ship", file]);
  const containers = [{ command: ["python3", "words.py"] }];
  const inputs = ["pfs://data/master/texts"];
  const jobargs = { question };
  const spec = {
    image: "none",
    inputs,
    jobargs,
    partitions: 4,
    template: { spec: { containers } },
  };
  const document = { apiVersion: "turbobytes.com/v1alpha1", kind: "MapReduceJob" };
  const stdin = JSON.stringify({ ...document, metadata: { name }, spec });
  await daemon.ok(["create-mapreduce", ...files], { stdin });
  await daemon.ok(["inspect-mapreduce", "--block", name]);
  return await daemon.ok(["get-results", name]);
};

/** Each way to ask, and what of; all of everything when texts are given. */
const folder = process.env["MAMMOTH_TEST_TEXTS"];
const isLong = folder !== undefined;
const every: readonly Question[] = ["count", "index"];
const count: readonly Question[] = isLong ? every : ["count"];
const index: readonly Question[] = isLong ? every : ["index"];
const doors: readonly (readonly [name: string, door: Door, asked: readonly Question[]])[] = [
  ["streaming into 1 partition", streaming(1, false), isLong ? every : []],
  ["streaming into 4 partitions", streaming(4, false), index],
  ["streaming into 7 partitions", streaming(7, false), isLong ? every : []],
  ["streaming into 1 partition, combined", streaming(1, true), isLong ? every : []],
  ["streaming into 4 partitions, combined", streaming(4, true), isLong ? every : []],
  ["streaming into 7 partitions, combined", streaming(7, true), count],
  ["web server", webServer, count],
  ["library, 4 partitions", library, index],
];

/** Words of all lengths, among bytes that are none. */
function textOf(seed: string): string {
  const bytes = seededBytes(seed, 4_000);
  return Array.from(bytes, (byte, i) => {
    const word = `${["The", "the", "fox", "Zeus", "a"][byte % 5]}${"xyz".slice(byte % 4)}`;
    return `${word}${byte % 11 === 0 ? "'s" : ""}${i % 12 === 11 ? "\n" : byte > 250 ? " é " : " "}`;
  }).join("");
}

test(
  "every door gives the answer of a shell",
  { skip: !probe.works && probe.reason },
  async (t) => {
    const shell = await openShell(t, ["--log-level", "error"]);
    const folder = process.env["MAMMOTH_TEST_TEXTS"];
    const texts =
      folder === undefined
        ? Object.fromEntries(["one", "two", "three"].map((name) => [name, textOf(name)]))
        : Object.fromEntries(
            readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]),
          );
    for (const [name, text] of Object.entries(texts)) {
      writeFileSync(join(shell.folder, name), text);
      await shell.type(`curl -XPOST pfs/file/texts/${name} -T ${name}`);
    }
    const answers = new Map<Question, string>();
    for (const question of Object.keys(questions) as Question[]) {
      const among = Object.keys(texts).toSorted().join(" ");
      const script = questions[question].shell.replace("cat *", `cat ${among}`);
      const line = `export LC_ALL=C; ${script.replace("in *;", `in ${among};`)}`;
      answers.set(question, await shell.prints(line));
    }
    await shell.type("curl -XPOST pfs/commit");
    for (const [name, door, asked] of doors.filter(([, , { length }]) => length > 0))
      await t.test(name, async () => {
        for (const question of asked)
          assert.equal(
            sortedLines(await door(shell, question)),
            sortedLines(answers.get(question)!),
            question,
          );
      });
  },
);

/** Partitions are sorted each for itself. */
function sortedLines(text: string): string {
  const lines = text.split(/(?<=\n)/);
  return lines.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).join("");
}
