"""make-pictures.py DIR: makes the pictures of data/ again, always the same."""

import math
import sys

WIDTH, HEIGHT = 160, 120


def face(x, y):
    if math.hypot(x - 80, y - 60) > 48:
        return 40 + y // 2
    if math.hypot(x - 62, y - 46) < 7 or math.hypot(x - 98, y - 46) < 7:
        return 20
    mouth = math.hypot(x - 80, y - 56)
    return 20 if 24 < mouth < 29 and y > 66 else 210


def hills(x, y):
    if math.hypot(x - 122, y - 28) < 13:
        return 250
    near = 84 + 10 * math.sin(x / 17) + 4 * math.sin(x / 5)
    far = 62 + 22 * math.sin(x / 31 + 2)
    return 50 if y > near else 120 if y > far else 200 - y


def rings(x, y):
    return 128 + int(100 * math.cos(math.hypot(x - 60, y - 70) / 4) * math.exp(-math.hypot(x - 60, y - 70) / 70))


for picture in (face, hills, rings):
    points = bytes(int(picture(x, y)) for y in range(HEIGHT) for x in range(WIDTH))
    with open(f"{sys.argv[1]}/{picture.__name__}.pgm", "wb") as file:
        file.write(b"P5\n%d %d\n255\n" % (WIDTH, HEIGHT) + points)
