"""The web server of all three jobs. Comes behind chess.py: describe.py sends both as one program."""

import collections
import http.server
import json
import os
import re
import sys


def games(text):
    """The tags and the moves of each game."""
    for game in re.split(r"(?=^\[Event )", text, flags=re.M):
        tags = dict(re.findall(r'^\[(\w+) "(.*)"\]$', game, flags=re.M))
        moves = re.sub(r"^\[.*\]$|\{[^}]*\}|;.*$|\$\d+|\d+\.+", " ", game, flags=re.M).split()
        if tags:
            yield tags, [move for move in moves if move not in ("1-0", "0-1", "1/2-1/2", "*")]


def annotate(text):
    """A line for each player of each game: how many moves gave away so many pawns."""
    lines = []
    for tags, moves in games(text):
        board = Board()
        blunders = {True: [0] * 9, False: [0] * 9}
        for move in moves:
            square, target, promoted = board.read(move)
            loss = board.loss(square, target)
            if loss > 0:
                blunders[board.white_moves][min(loss, 9) - 1] += 1
            board = board.after(square, target, promoted)
        for white in (True, False):
            color = "White" if white else "Black"
            player = {
                "player": tags[color],
                "color": color,
                "elo": int(tags[f"{color}Elo"]),
                "result": tags["Result"],
                "opening": " ".join(moves[:1]),
                "moves": (len(moves) + white) // 2,
                "blunders": blunders[white],
            }
            lines.append(json.dumps(player) + "\n")
    return "".join(lines)


def players(text):
    return [json.loads(line) for line in text.splitlines()]


def blunders(text):
    """By rating: moves, those that gave away a pawn or more, a piece or more, and the share of these."""
    sums = collections.defaultdict(lambda: [0, 0, 0])
    for player in players(text):
        found = player["blunders"]
        for i, count in enumerate([player["moves"], sum(found), sum(found[2:])]):
            sums[player["elo"] // 400 * 400][i] += count
    return "".join(
        f"{elo:4}-{elo + 399:4} {moves:6} moves {pawns:5} pawns {pieces:5} pieces {1000 * pieces // moves / 10:5}%\n"
        for elo, (moves, pawns, pieces) in sorted(sums.items())
    )


def openings(text):
    """The first moves that were played most, and who won."""
    sums = collections.defaultdict(collections.Counter)
    for player in players(text):
        if player["color"] == "White":
            sums[player["opening"]][player["result"]] += 1
    most = sorted(sums.items(), key=lambda item: (-item[1].total(), item[0]))[:10]
    return "".join(
        f"{name:4} {won.total():3} games: {won['1-0']:3} White {won['0-1']:3} Black {won['1/2-1/2']:3} drawn\n"
        for name, won in most
    )


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        work = {"map": annotate, "blunders": blunders, "openings": openings}[sys.argv[1]]
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            self.answer(200, work(body))
        except (KeyError, ValueError) as error:
            # Trying again would not help, and a refusal says so.
            self.answer(422, f"that is no game: {error}\n")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Answers).serve_forever()
