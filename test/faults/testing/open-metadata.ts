// A program that opens the database named on its command line as a daemon does, says how that went, and ends.
import { codedErrorFrom } from "../../../src/base/errors.ts";
import { silentLog } from "../../../src/base/log.ts";
import { openSqliteMetadata } from "../../../src/metadata/index.ts";

try {
  const metadata = await openSqliteMetadata({ path: process.argv[2]!, log: silentLog });
  process.stdout.write("opened\n");
  await metadata.close();
} catch (error) {
  const { code, message } = codedErrorFrom(error);
  process.stdout.write(`${code}: ${message}\n`);
  process.exitCode = 1;
}
