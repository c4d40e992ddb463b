"""make-games.py COUNT FOLDER [FIRST]: writes COUNT games, each a PGN file, the same ones each time. The better a player,
the more moves are thought about before the one that gives away least is played."""

import hashlib
import sys

from chess import Board

count, folder = int(sys.argv[1]), sys.argv[2]
first = int(sys.argv[3]) if len(sys.argv) > 3 else 1


class Dice:
    """Numbers that depend on the game alone, and not on the version of Python."""

    def __init__(self, seed):
        self.seed = seed
        self.rolls = 0

    def below(self, bound):
        self.rolls += 1
        digest = hashlib.sha256(f"{self.seed} {self.rolls}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % bound


def play(board, dice, elo):
    """A move of a player; None for one who has none left."""
    moves = sorted(board.moves())
    thought = []
    while moves and len(thought) < elo // 500:
        move = moves.pop(dice.below(len(moves)))
        if board.is_legal(*move):
            thought.append(move)
    return min(thought, key=lambda move: (board.loss(*move), thought.index(move)), default=None)


def play_game(number):
    dice = Dice(number)
    elos = [800 + 10 * dice.below(180) for _ in range(2)]
    board, moves = Board(), []
    for _ in range(18 + dice.below(12)):
        move = play(board, dice, elos[len(moves) % 2])
        if move is None:
            break
        moves.append(board.write(*move))
        board = board.after(*move)
    values = {"P": 1, "N": 3, "B": 3, "R": 5, "Q": 9}
    balance = sum(values.get(piece.upper(), 0) * (1 if piece.isupper() else -1) for piece in board.squares)
    result = "1-0" if balance > 1 else "0-1" if balance < -1 else "1/2-1/2"
    players = [f"Player {dice.below(40) + 1}" for _ in range(2)]
    tags = {
        "Event": "Games that were never played",
        "Date": f"2015.{1 + number % 12:02}.{1 + number % 28:02}",
        "White": players[0],
        "Black": players[1],
        "Result": result,
        "WhiteElo": elos[0],
        "BlackElo": elos[1],
    }
    lines = [f'[{name} "{value}"]' for name, value in tags.items()] + [""]
    pairs = [f"{i // 2 + 1}. {' '.join(moves[i:i + 2])}" for i in range(0, len(moves), 2)]
    lines += [" ".join(pairs[i:i + 6]) for i in range(0, len(pairs), 6)]
    return "\n".join(lines) + f" {result}\n"


for number in range(first, first + count):
    with open(f"{folder}/game{number:04}.pgn", "w") as file:
        file.write(play_game(number))
