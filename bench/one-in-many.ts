import { packTar } from "../src/client/index.ts";
import { localPrincipal } from "../src/model/principal.ts";
import { diffFiles, listFiles, type PfsDeps } from "../src/pfs/index.ts";
import type { Bed, Row } from "./bench.ts";
import { receive } from "./http.ts";
import { eachMs, msOf, race } from "./measure.ts";
import { withPfs } from "./open-pfs.ts";
import { untilQuiet } from "./programs.ts";
import { lineFiles, nameOf } from "./small-files.ts";

const pageEntries = 1_000;
const rounds = 201;
/** Rounds before the compiler has seen enough: they are left out. */
const coldRounds = 50;

/**
 * One changed file in a large repo, beside one in a small repo, and looking at both: cost follows the
 * change, not the size.
 */
export async function* oneInMany(bed: Bed): AsyncGenerator<Row, void, void> {
  const { client, daemon } = bed;
  const counts = { many: bed.full ? 1_000_000 : 200_000, few: 1_000 };
  for (const [repo, count] of Object.entries(counts)) {
    await client.repos.create(repo);
    const ms = await msOf(() =>
      client.files.putTarCommit({ repo, branch: "master" }, "", () => packTar(lineFiles(count))),
    );
    if (repo === "many")
      yield { what: `${count} files of one line, in one commit`, unit: "s", values: [ms / 1_000] };
  }
  await untilQuiet(daemon.pid);
  const changeOne = async (repo: keyof typeof counts, round: number): Promise<void> => {
    const commit = await client.commits.start(repo, "master");
    const path = nameOf((round * 7_919) % counts[repo]);
    await client.files.put(commit, path, `apple ${round}\n`, { overwrite: true });
    await client.commits.finish(commit);
  };
  const changed = await race({
    rounds,
    runners: { many: (round) => changeOne("many", round), few: (round) => changeOne("few", round) },
  });
  yield besideFew(`commit of one changed file among ${counts.many}`, changed);
  const api = `http://${daemon.address}/api/v1/repos`;
  const [diffed, listed] = [
    await race({ rounds, runners: each((repo) => (round) => receive(diffUrl(api, repo, round))) }),
    await race({
      rounds,
      runners: each(
        (repo) => (round) => receive(pageUrl(api, repo, pageStart(counts[repo], round))),
      ),
    }),
  ];
  yield besideFew(`diff of two such commits of ${counts.many} files, over REST`, diffed);
  yield besideFew(`page of ${pageEntries} of ${counts.many}, over REST`, listed);
  await daemon.stop("SIGTERM");
  yield* await withPfs(daemon.root, (pfs) => inside(pfs, counts.many));
}

type Repo = "many" | "few";

function each(
  runner: (repo: Repo) => (round: number) => Promise<unknown>,
): Record<Repo, (round: number) => Promise<unknown>> {
  return { many: runner("many"), few: runner("few") };
}

function besideFew(what: string, times: Record<Repo, number[]>): Row {
  return {
    what,
    unit: "ms",
    values: times.many.slice(coldRounds),
    peer: { what: "the same, of 1000", values: times.few.slice(coldRounds) },
  };
}

/** The same calls without HTTP. */
async function inside(pfs: PfsDeps, count: number): Promise<Row[]> {
  const repo = "many";
  const query = { recurse: true, limit: pageEntries };
  const diffMs = await eachMs(rounds, (round) =>
    diffFiles(pfs, localPrincipal, {
      a: { repo, id: `master/${round}` },
      b: { repo, id: `master/${round + 1}` },
      path: "",
      limit: pageEntries,
    }),
  );
  const pageMs = await eachMs(rounds, (round) =>
    listFiles(pfs, localPrincipal, {
      commit: { repo, id: "master" },
      path: "",
      query: { ...query, after: pageStart(count, round) },
    }),
  );
  return [
    {
      what: `diff of two such commits of ${count} files, without REST`,
      unit: "ms",
      values: diffMs.slice(coldRounds),
    },
    {
      what: `page of ${pageEntries} of ${count}, without REST`,
      unit: "ms",
      values: pageMs.slice(coldRounds),
    },
  ];
}

function diffUrl(api: string, repo: Repo, round: number): string {
  return `${api}/${repo}/diff/?a=master/${round}&b=master/${round + 1}`;
}

/** After which file a page begins: another folder each time. */
function pageStart(count: number, round: number): string {
  return nameOf((round * 7_919) % Math.max(1, count - 2 * pageEntries));
}

function pageUrl(api: string, repo: Repo, after: string): string {
  return `${api}/${repo}/commits/master/list/?recurse&limit=${pageEntries}&after=${after}`;
}
