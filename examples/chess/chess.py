"""Chess, as far as reading a game and judging its moves needs it."""

START = "RNBQKBNR" + "P" * 8 + "." * 32 + "p" * 8 + "rnbqkbnr"
VALUES = {"P": 1, "N": 3, "B": 3, "R": 5, "Q": 9, "K": 100}
ROOK = [(1, 0), (-1, 0), (0, 1), (0, -1)]
BISHOP = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
KNIGHT = [(1, 2), (2, 1), (-1, 2), (-2, 1), (1, -2), (2, -1), (-1, -2), (-2, -1)]
STEPS = {"R": ROOK, "B": BISHOP, "Q": ROOK + BISHOP, "K": ROOK + BISHOP, "N": KNIGHT}


def ray(square, step, is_long):
    """The squares that a piece passes from here, in one direction."""
    column, row = square % 8 + step[0], square // 8 + step[1]
    found = []
    while 0 <= column < 8 and 0 <= row < 8:
        found.append(row * 8 + column)
        column, row = column + step[0], row + step[1]
        if not is_long:
            break
    return found


RAYS = {
    piece: [[ray(square, step, piece in "RBQ") for step in steps] for square in range(64)]
    for piece, steps in STEPS.items()
}
RAYS["white"] = [[ray(square, step, False) for step in [(1, 1), (-1, 1)]] for square in range(64)]
RAYS["black"] = [[ray(square, step, False) for step in [(1, -1), (-1, -1)]] for square in range(64)]


def name_of(square):
    return "abcdefgh"[square % 8] + str(square // 8 + 1)


class Board:
    """A position. Squares count from a1 to h8; White is in capitals."""

    def __init__(self, squares=START, white_moves=True):
        self.squares = list(squares)
        self.white_moves = white_moves

    def is_own(self, piece, white):
        return piece != "." and piece.isupper() == white

    def attacks(self, square):
        piece = self.squares[square]
        kind = piece.upper()
        if kind == "P":
            kind = "white" if piece.isupper() else "black"
        for squares in RAYS[kind][square]:
            for target in squares:
                yield target
                if self.squares[target] != ".":
                    break

    def pieces(self, white):
        return [at for at, piece in enumerate(self.squares) if self.is_own(piece, white)]

    def moves(self):
        """What may be played when checks, castling and en passant are left aside."""
        white = self.white_moves
        for square in self.pieces(white):
            is_pawn = self.squares[square] in "Pp"
            for target in self.attacks(square):
                found = self.squares[target]
                if self.is_own(found, not white) or found == "." and not is_pawn:
                    yield square, target
            if is_pawn:
                step = 8 if white else -8
                if self.squares[square + step] == ".":
                    yield square, square + step
                    is_first = square // 8 == (1 if white else 6)
                    if is_first and self.squares[square + 2 * step] == ".":
                        yield square, square + 2 * step

    def after(self, square, target, promoted="Q"):
        """The position after a move, whatever it is."""
        next = Board(self.squares, not self.white_moves)
        piece = next.squares[square]
        if piece in "Pp" and square % 8 != target % 8 and next.squares[target] == ".":
            next.squares[square // 8 * 8 + target % 8] = "."  # en passant
        if piece in "Kk" and abs(target - square) == 2:
            rook = square + 3 if target > square else square - 4
            next.squares[(square + target) // 2] = next.squares[rook]
            next.squares[rook] = "."
        if piece in "Pp" and target // 8 in (0, 7):
            piece = promoted if self.white_moves else promoted.lower()
        next.squares[square], next.squares[target] = ".", piece
        return next

    def is_attacked(self, square, by_white):
        return any(square in self.attacks(piece) for piece in self.pieces(by_white))

    def in_check(self, white):
        return self.is_attacked(self.squares.index("K" if white else "k"), not white)

    def is_legal(self, square, target):
        return not self.after(square, target).in_check(self.white_moves)

    def threat(self):
        """What the player to move wins with the best capture, in pawns; one that is taken back costs the piece."""
        best = 0
        for square, target in self.moves():
            victim = self.squares[target]
            if victim == "." or VALUES[victim.upper()] <= best:
                continue
            next = self.after(square, target)
            cost = VALUES[self.squares[square].upper()] if next.is_attacked(target, next.white_moves) else 0
            best = max(best, min(9, VALUES[victim.upper()]) - cost)
        return best

    def loss(self, square, target):
        """What a move gives away, in pawns."""
        victim = self.squares[target]
        won = 0 if victim == "." else VALUES[victim.upper()]
        return max(0, self.after(square, target).threat() - won)

    def write(self, square, target):
        """A move as players write it down."""
        kind = self.squares[square].upper()
        takes = "" if self.squares[target] == "." else "x"
        last = "=Q" if kind == "P" and target // 8 in (0, 7) else ""
        if kind == "P":
            return (name_of(square)[0] + takes if takes else "") + name_of(target) + last
        others = [at for at in self.rivals(kind, target) if at != square]
        which = ""
        if others:
            which = name_of(square)
            if all(at % 8 != square % 8 for at in others):
                which = which[0]
            elif all(at // 8 != square // 8 for at in others):
                which = which[1]
        return kind + which + takes + name_of(target)

    def rivals(self, kind, target):
        """Pieces of a kind that may go to a square."""
        white = self.white_moves
        named = [at for at in self.pieces(white) if self.squares[at].upper() == kind]
        able = [at for at in named if target in self.attacks(at)]
        return able if len(able) < 2 else [at for at in able if self.is_legal(at, target)]

    def read(self, text):
        """The move that is written so: from, to, and what a pawn becomes. Raises ValueError for one that cannot be."""
        plain = text.rstrip("+#!?")
        if plain.replace("0", "O") in ("O-O", "O-O-O"):
            king = 4 if self.white_moves else 60
            return king, king + (2 if plain in ("O-O", "0-0") else -2), "Q"
        plain, _, promoted = plain.partition("=")
        kind = plain[0] if plain[:1] in tuple("KQRBN") else "P"
        where = plain.removeprefix(kind).replace("x", "")
        if len(where) < 2 or where[-2] not in "abcdefgh" or where[-1] not in "12345678":
            raise ValueError(f"{text} is no move")
        target = (int(where[-1]) - 1) * 8 + "abcdefgh".index(where[-2])
        if kind == "P":
            back = -8 if self.white_moves else 8
            column = "abcdefgh".index(where[0])
            if column != target % 8:
                return (target + back) // 8 * 8 + column, target, promoted or "Q"
            near = 0 <= target + back < 64 and self.squares[target + back] in "Pp"
            return target + back * (1 if near else 2), target, promoted or "Q"
        able = [at for at in self.rivals(kind, target) if all(c in name_of(at) for c in where[:-2])]
        if len(able) != 1:
            raise ValueError(f"{text} cannot be played")
        return able[0], target, "Q"
