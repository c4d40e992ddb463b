export { defaultAddress, parseAddress } from "./address.ts";
export type { Body } from "./body.ts";
export type {
  CommitCalls,
  CommitRange,
  FinishOptions,
  FlushOptions,
  ListCommitsOptions,
} from "./commits.ts";
export type { CallOptions, ServerFacts } from "./connection.ts";
export type {
  Content,
  Fetched,
  FileCalls,
  FilePages,
  GetOptions,
  GetTarOptions,
  InspectOptions,
  ListOptions,
  PutOptions,
  ViewOptions,
} from "./files.ts";
export type { JobCalls, ListJobsOptions, LogOptions } from "./jobs.ts";
export type { MapReduceJobCalls } from "./map-reduce-jobs.ts";
export { openClient, type Client, type ClientOptions } from "./open-client.ts";
export type { PipelineCalls } from "./pipelines.ts";
export type { CommitStatus, RepoCalls } from "./repos.ts";
export type { RunCalls } from "./runs.ts";
export type { StoreCalls } from "./store.ts";
export { RemoteWorkerHost } from "./worker-host.ts";
export type { WorkerCalls } from "./workers.ts";
export type { BranchName } from "./urls.ts";
export { largeBytesMin, type SendOptions, type SentFile } from "./send-files.ts";
export type {
  AppendOptions,
  PutAnswer,
  PutUploadsOptions,
  UploadCalls,
  UploadList,
} from "./uploads.ts";
export { Patience } from "./patience.ts";
export { readTarInto, type TarSink } from "./tar-reader.ts";
export { packTar, unpackTar, type TarFile } from "./tar.ts";
export { tarOf } from "./tar-whole.ts";
