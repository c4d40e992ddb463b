import { z } from "zod";
import { CodedError } from "../../base/errors.ts";

/** A parameter that, when it is there, says something: an empty one is a variable of the shell that was not set. */
const given = z.string().min(1, "is empty: give it a value, or leave it out").optional();

/** No parameters. */
export const noQuery = z.strictObject({});
/** Which branch is written to. */
export const branchQuery = z.strictObject({ branch: given });
/** What is read: a commit, or the newest state of a branch. */
export const readQuery = z.strictObject({ branch: given, commit: given });
/** What a new branch is called, and what it begins behind. */
export const newBranchQuery = z.strictObject({ branch: given, commit: given });
/**
 * How a commit is finished, and whether its jobs are run: `run` is there or not, whatever it says, but for `fresh`.
 * `commit` is of the original and refused with a reason.
 */
export const finishQuery = z.strictObject({
  branch: given,
  commit: z.unknown().optional(),
  run: z.string().optional(),
});
/** Which output of a job is read, and how long it is waited for. */
export const outputQuery = z.strictObject({
  commit: given,
  wait: z
    .string()
    .regex(/^\d{1,5}$/, "expected a number of seconds")
    .transform(Number)
    .default(600),
});

/** The branch of those who name none. */
export const defaultBranch = "master";

/**
 * Refuses a body where the whole request is in the URL: `-d branch=dev` would not be seen.
 *
 * @throws CodedError `invalid_argument`
 */
export async function refuseBody(body: AsyncIterable<Buffer>): Promise<void> {
  for await (const piece of body) {
    if (piece.length > 0)
      throw new CodedError(
        "invalid_argument",
        "Cannot use the body of this request: it takes none. Put the parameters into the URL, as in '?branch=NAME'",
      );
  }
}
