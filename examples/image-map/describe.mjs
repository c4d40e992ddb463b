// describe.mjs [IMAGE]: the descriptor of the job; the program travels inside.
import { readFileSync } from "node:fs";

const [image] = process.argv.slice(2);
const program = readFileSync(new URL("server.mjs", import.meta.url), "utf8");
const command = ["node", "--input-type=module", "--eval", program];
console.log(JSON.stringify({ type: "map", input: "pictures", image, command }));
