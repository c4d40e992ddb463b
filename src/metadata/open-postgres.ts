import type { PostgresMetadata, PostgresMetadataOptions } from "./postgres/open-postgres.ts";

/** Opens metadata that several daemons share; who does not need it does not load its driver. */
export async function openSharedMetadata(
  options: PostgresMetadataOptions,
): Promise<PostgresMetadata> {
  const { openPostgresMetadata } = await import("./postgres/open-postgres.ts");
  return await openPostgresMetadata(options);
}
