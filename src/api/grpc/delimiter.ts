import { Delimiter } from "./gen/pfs_pb.ts";

const formats = {
  [Delimiter.NONE]: "binary",
  [Delimiter.JSON]: "json",
  [Delimiter.LINE]: "line",
} as const;

/** What a delimiter of the wire says about records. An unknown one says nothing. */
export function formatOf(delimiter: Delimiter): "binary" | "json" | "line" {
  return formats[delimiter as keyof typeof formats] ?? "binary";
}
