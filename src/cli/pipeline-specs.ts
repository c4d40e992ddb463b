import { CodedError, codedErrorFrom } from "../base/errors.ts";
import type { PipelineInfo } from "../model/job.ts";
import { parsePipelineSpec } from "../model/pipeline-spec.ts";
import type { Context } from "./context.ts";
import { readSpecs } from "./read-specs.ts";
import { runnerNote } from "./show-transform.ts";

/** A spec as it is sent, and the pipeline that it is of. */
export interface CheckedSpec {
  readonly name: string;
  readonly spec: object;
}

/** The specs of a file, all of them checked. */
export async function checkedPipelines(file: string, context: Context): Promise<CheckedSpec[]> {
  const documents = await readSpecs(file, context);
  return documents.map((document, index) => {
    try {
      return { name: parsePipelineSpec(document).name, spec: document as object };
    } catch (error) {
      const { code, message, details } = codedErrorFrom(error);
      const which = documents.length === 1 ? "" : `Document ${index + 1}: `;
      throw new CodedError(code, `${which}${message}`, { details, cause: error });
    }
  });
}

/** Says when the image of a spec is not what runs. */
export function noteRunner(pipeline: PipelineInfo, context: Context): void {
  const note = runnerNote(pipeline);
  if (note !== undefined) context.note(`Pipeline ${pipeline.name} runs as a process: ${note}`);
}
