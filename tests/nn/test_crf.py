"""The random field against all paths counted one by one."""

from __future__ import annotations

from itertools import pairwise, product

import torch

from autolect.nn.crf import Crf, iob2_rules

LABELS = ("O", "B-x", "I-x")


MOVES = torch.tensor([[0.1, 0.4, 9.0], [-0.3, 0.2, 0.7], [0.5, -0.6, 0.2]])


def allowed(path: tuple[int, ...]) -> bool:
    rules, begins = iob2_rules(LABELS)
    moves = pairwise(path)
    return bool(begins[path[0]]) and all(bool(rules[a, b]) for a, b in moves)


def test_partition_best_path_and_loss_equal_the_count_over_all_paths() -> None:
    crf, scores = Crf(*iob2_rules(LABELS)), torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    keep = torch.tensor([[True] * 4, [True, True, False, False]])
    for row, length in enumerate((4, 2)):
        paths = [path for path in product(range(3), repeat=length) if allowed(path)]
        totals = []
        for path in paths:
            total = sum(scores[row, place, tag] for place, tag in enumerate(path))
            totals.append(total + sum(MOVES[a, b] for a, b in pairwise(path)))
        values = torch.stack([torch.as_tensor(total) for total in totals])
        expected = torch.logsumexp(values, dim=0)
        torch.testing.assert_close(crf.log_partition(scores, MOVES, keep)[row], expected)
        chances = torch.zeros(4, 3)
        for path, share in zip(paths, values.softmax(dim=0), strict=True):
            for place, tag in enumerate(path):
                chances[place, tag] += share
        torch.testing.assert_close(crf.chances(scores, MOVES, keep)[row], chances)
        best = paths[int(values.argmax())]
        assert tuple(crf.best(scores, MOVES, keep)[row, :length].tolist()) == best
        tags = torch.zeros(2, 4, dtype=torch.long)
        tags[row, :length] = torch.tensor(best)
        torch.testing.assert_close(crf.path_score(scores, MOVES, keep, tags)[row], values.max())


def test_a_forbidden_move_is_never_taken_however_high_its_score() -> None:
    crf = Crf(*iob2_rules(LABELS))
    scores = torch.zeros(1, 3, 3)
    scores[..., 2] = 50.0
    tags = crf.best(scores, MOVES, torch.ones(1, 3, dtype=torch.bool))[0].tolist()
    assert allowed(tuple(tags))
    assert tags == [1, 2, 2]


def test_costs_are_what_the_likelihood_says_and_padding_adds_nothing() -> None:
    crf = Crf(*iob2_rules(LABELS))
    scores = torch.randn(1, 3, 3, generator=torch.Generator().manual_seed(1))
    keep, tags = torch.tensor([[True, True, False]]), torch.tensor([[1, 2, 0]])
    whole = crf.costs(scores, MOVES, keep, tags)
    torch.testing.assert_close(whole, crf.costs(scores[:, :2], MOVES, keep[:, :2], tags[:, :2]))
    assert float(whole) > 0


def test_scores_far_apart_lose_nothing() -> None:
    # O is all but certain, then I-x, which may not follow it: what is left are the ways around.
    crf = Crf(*iob2_rules(LABELS))
    scores = torch.tensor([[[400.0, 0.0, 0.0], [0.0, 0.0, 500.0], [0.0, 0.0, 0.0]]], requires_grad=True)
    keep = torch.ones(1, 3, dtype=torch.bool)
    found = crf.log_partition(scores, torch.zeros(3, 3), keep)
    # B-x then I-x, and on with any tag.
    torch.testing.assert_close(found, torch.tensor([500.0 + float(torch.tensor(3.0).log())]))
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad[0, 0], torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(crf.chances(scores, torch.zeros(3, 3), keep).sum(dim=2), torch.ones(1, 3))
