// make-pictures.mjs FOLDER: paints three pictures of 96 times 64 points, the same ones each time.
import { writeFileSync } from "node:fs";

const [folder] = process.argv.slice(2);
const [width, height] = [96, 64];

const painters = {
  rings: (x, y) => ((x - 48) ** 2 + (y - 32) ** 2) % 400 < 200 ? [220, 40, 60] : [250, 240, 200],
  hills: (x, y) => (y > 30 + ((x * (96 - x)) >> 7) ? [40, 140, 60] : [140, 190, 250 - y]),
  weave: (x, y) => [(x * 37) % 256, (y * 53) % 256, ((x ^ y) * 11) % 256],
};

for (const [name, paint] of Object.entries(painters)) {
  const points = Array.from({ length: width * height }, (_, at) =>
    paint(at % width, Math.floor(at / width)),
  );
  const head = Buffer.from(`P6\n${width} ${height}\n255\n`);
  writeFileSync(`${folder}/${name}.ppm`, Buffer.concat([head, Buffer.from(points.flat())]));
}
