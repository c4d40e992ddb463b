// Half the size, and grey: pictures are POSTed to /map as PPM, and so they go back. Plain Node, no packages.
import { createServer } from "node:http";

createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const answer = request.url === "/map" ? shrink(Buffer.concat(pieces)) : undefined;
  if (request.url !== "/map") response.writeHead(404).end();
  else if (answer === undefined) response.writeHead(422).end("that is no PPM picture\n");
  else response.writeHead(200, { "content-length": answer.length }).end(answer);
}).listen(Number(process.env.PORT));

function shrink(picture) {
  const [head, width, height] =
    /^P6\s(?:#.*\n)*(\d+)\s+(\d+)\s+255\s/.exec(picture.toString("latin1", 0, 1000)) ?? [];
  if (head === undefined || picture.length !== head.length + 3 * width * height) return undefined;
  const pixels = picture.subarray(head.length);
  const [columns, rows] = [width >> 1, height >> 1];
  const small = Buffer.alloc(3 * columns * rows);
  for (let at = 0; at < columns * rows; at++) {
    const left = 2 * (at % columns);
    const top = 2 * Math.floor(at / columns);
    let light = 0;
    for (const [x, y] of [[left, top], [left + 1, top], [left, top + 1], [left + 1, top + 1]]) {
      const [red, green, blue] = pixels.subarray(3 * (y * width + x));
      light += 299 * red + 587 * green + 114 * blue;
    }
    small.fill(Math.round(light / 4_000), 3 * at, 3 * at + 3);
  }
  return Buffer.concat([Buffer.from(`P6\n${columns} ${rows}\n255\n`), small]);
}
