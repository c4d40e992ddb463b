import { areConsistent, type SourcedCommit, type TriggerCommit } from "../metadata/index.ts";

/** One commit per input repo, in the order of the pipeline's inputs: what one job runs on. */
export type InputSet = readonly SourcedCommit[];

/** An input set, and the set the job before it ran on, if there can have been one. */
export interface JobInputs {
  readonly inputs: InputSet;
  readonly before: InputSet | undefined;
}

/**
 * The input sets that a finished commit causes: every combination with the leaves of the other
 * inputs in which all commits go together, that is, name the same commit of every repo that they
 * were both made from. So a diamond gives one job per commit at its top.
 */
export function inputSetsOf(trigger: TriggerCommit, repos: readonly string[]): JobInputs[] {
  let sets: SourcedCommit[][] = [[]];
  for (const repo of repos) {
    const choices = repo === trigger.commit.repo ? [trigger.commit] : (trigger.others[repo] ?? []);
    sets = sets.flatMap((set) =>
      choices
        .filter((choice) => set.every((other) => areConsistent(choice, other)))
        .map((choice) => [...set, choice]),
    );
  }
  return sets.map((inputs) => ({ inputs, before: setBefore(trigger, inputs) }));
}

/** The set as it was before the new commit: its parent, and what does not go with the parent by its own parent. */
function setBefore(trigger: TriggerCommit, inputs: InputSet): InputSet | undefined {
  const { parent } = trigger;
  if (parent === undefined) return undefined;
  const before: SourcedCommit[] = [];
  for (const input of inputs) {
    if (input.uid === trigger.commit.uid) before.push(parent);
    else if (areConsistent(input, parent)) before.push(input);
    else {
      const earlier = trigger.parents[input.uid];
      if (earlier === undefined || !areConsistent(earlier, parent)) return undefined;
      before.push(earlier);
    }
  }
  return before;
}
