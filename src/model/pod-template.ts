import { z } from "zod";
import { specDemands, transformDemands, type Demands } from "./demands.ts";
import { secretSchema } from "./spec-schema.ts";

/** What is run, as the one container of a pod template says it. */
export interface PodProgram {
  readonly image?: string;
  /** Undefined: that of the image. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly { readonly name: string; readonly mountPath: string }[];
  readonly demands: Demands;
}

const resources = specDemands.resources.unwrap();
const texts = z.array(z.string());
const labels = z.record(z.string(), z.string()).optional();
const id = z.int().min(0);
const securityContext = z.strictObject({ runAsUser: id, runAsGroup: id.optional() }).optional();
const variable = z.strictObject({
  name: z.string().regex(/^[^=\0]+$/, "expected the name of a variable"),
  value: z.string().default(""),
});
const volume = z.strictObject({
  name: z.string().min(1),
  emptyDir: z.strictObject({}).optional(),
  secret: z.strictObject({ secretName: secretSchema.shape.name }).optional(),
});
const volumeMount = z.strictObject({
  name: z.string().min(1),
  mountPath: secretSchema.shape.mountPath,
  readOnly: z.boolean().optional(),
});

const container = z.strictObject({
  name: z.string().optional(),
  image: z.string().min(1).optional(),
  imagePullPolicy: z
    .literal("IfNotPresent", "expected IfNotPresent: an image that is there is not pulled again")
    .optional(),
  command: texts.min(1, "expected a program and its arguments").optional(),
  args: texts.optional(),
  env: z.array(variable).default([]),
  workingDir: transformDemands.workingDir,
  resources: z
    .strictObject({ limits: resources.optional(), requests: resources.optional() })
    .optional(),
  securityContext,
  volumeMounts: z.array(volumeMount).default([]),
});

const podSpec = z.strictObject({
  containers: z.array(container).length(1, "expected one container, the worker"),
  volumes: z.array(volume).default([]),
  restartPolicy: z.enum(["OnFailure", "Never"]).optional(),
  hostNetwork: z.boolean().optional(),
  securityContext,
});

const metadata = z.strictObject({ labels, annotations: labels, name: z.string().optional() });
const written = z.strictObject({ metadata: metadata.optional(), spec: podSpec });

/** Reads a PodTemplateSpec: of its fields those that mean something here, and no others. */
export const podTemplate = written.transform(({ spec }, context): PodProgram => {
  const [given] = spec.containers as [z.infer<typeof container>];
  const secrets: PodProgram["secrets"][number][] = [];
  const refuse = (path: (string | number)[], message: string): void =>
    context.addIssue({ code: "custom", path: ["spec", ...path], message });
  for (const [i, { name, mountPath }] of given.volumeMounts.entries()) {
    const at = ["containers", 0, "volumeMounts", i];
    const mounted = spec.volumes.find((known) => known.name === name);
    if (mounted === undefined) refuse([...at, "name"], `there is no volume ${name}`);
    else if (mounted.secret !== undefined)
      secrets.push({ name: mounted.secret.secretName, mountPath });
    else if (!/^\/tmp(\/|$)/.test(mountPath))
      refuse([...at, "mountPath"], "expected /tmp: it is empty, and each run has its own");
  }
  for (const [i, { emptyDir, secret }] of spec.volumes.entries())
    if ((emptyDir === undefined) === (secret === undefined))
      refuse(["volumes", i], "expected either emptyDir or secret");
  return {
    ...(given.image === undefined ? {} : { image: given.image }),
    ...(given.command === undefined ? {} : { command: given.command }),
    ...(given.args === undefined ? {} : { args: given.args }),
    env: Object.fromEntries(given.env.map(({ name, value }) => [name, value])),
    secrets,
    demands: demandsOfPod(given, spec),
  };
});

function demandsOfPod(
  given: z.infer<typeof container>,
  pod: Pick<z.infer<typeof podSpec>, "hostNetwork" | "securityContext">,
): Demands {
  const user = given.securityContext ?? pod.securityContext;
  const { limits, requests } = given.resources ?? {};
  const cpu = limits?.cpu ?? requests?.cpu;
  const memoryBytes = limits?.memory ?? requests?.memory;
  const bounds = {
    ...(cpu === undefined ? {} : { cpu }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  };
  return {
    ...(user === undefined ? {} : { user: userText(user) }),
    ...(given.workingDir === undefined ? {} : { workingDir: given.workingDir }),
    ...(Object.keys(bounds).length === 0 ? {} : { resources: bounds }),
    ...(pod.hostNetwork === true ? { network: "host" as const } : {}),
  };
}

function userText({
  runAsUser,
  runAsGroup,
}: {
  runAsUser: number;
  runAsGroup?: number | undefined;
}): string {
  return runAsGroup === undefined ? `${runAsUser}` : `${runAsUser}:${runAsGroup}`;
}

const fieldsOf = (shape: object): string[] => Object.keys(shape);

/** Known fields by the place they are in, for hints. */
export const podTemplateKnown: Readonly<Record<string, readonly string[]>> = {
  "": fieldsOf(written.shape),
  spec: fieldsOf(podSpec.shape),
  "spec.containers[]": fieldsOf(container.shape),
  "spec.volumes[]": fieldsOf(volume.shape),
};
