/** On whose behalf a call is made. Travels through every pfs and pps call. */
export interface Principal {
  readonly name: string;
}

/** Whoever reaches a daemon that asks for no token. */
export const localPrincipal: Principal = { name: "local" };

/** The daemon itself, acting for a pipeline. */
export const pipelinePrincipal: Principal = { name: "pipeline" };
