"""Estimates against lmplz where it is installed, a slow reading of the formulas, NLTK and KenLM."""

import itertools
import random
import shutil
import subprocess
from collections import Counter, defaultdict

import numpy as np
import pytest

from w2v_cli.language_model import kneser_ney
from w2v_cli.language_model.kneser_ney import (
    DiscountError,
    estimate,
    ngram_words,
    thresholds,
)
from w2v_cli.language_model.ngram_counts import count_ngrams

FALLBACK = (0.5, 1.0, 1.5)


def random_lines(seed, *, n_lines=60, letters="abcdefgh"):
    rng = random.Random(seed)
    return [" ".join(rng.choice(letters) for _ in range(rng.randint(1, 6))) for _ in range(n_lines)]


def in_ids(lines, order):
    known = {"<unk>": 0, "<s>": 1, "</s>": 2}
    ids = []
    for line in lines:
        ids += [1] * (order - 1) + [known.setdefault(w, len(known)) for w in line.split()] + [2]
    return np.array(ids, np.uint32), list(known)


def model(lines, order, *, prune=(), fallback=FALLBACK):
    """Return {words: (log10 probability, log10 backoff)} of all orders, and the vocabulary."""
    ids, words = in_ids(lines, order)
    counts = count_ngrams([ids], order=order, n_words=len(words))
    tables = estimate(counts, n_words=len(words), prune=prune, fallback=fallback)
    found = {}
    for k, table in enumerate(tables, start=1):
        places = np.flatnonzero(table.kept)
        for row, place in zip(ngram_words(tables, k, places), places, strict=True):
            ngram = tuple(words[index] for index in row)
            found[ngram] = (table.log_prob[place], table.log_backoff[place])
    return found, words


def log_probability(found, context, word):
    """Return log10 p(word | context) as an ARPA file is read."""
    ngram = (*context, word)
    if ngram in found:
        return found[ngram][0]
    backoff = found[context][1] if context in found else 0.0
    return backoff + log_probability(found, context[1:], word)


def slow_model(lines, order):
    """Return p(word | context) by Chen and Goodman's formulas, from sets and dictionaries."""
    sentences = [["<s>"] * (order - 1) + line.split() + ["</s>"] for line in lines]
    vocabulary = {"<unk>", "</s>", *(word for line in lines for word in line.split())}
    raw = Counter(
        tuple(s[i - order + 1 : i + 1]) for s in sentences for i in range(order - 1, len(s))
    )
    counts = {order: {g: c for g, c in raw.items() if g[1:2] != ("<s>",)}}
    for k in range(order - 1, 0, -1):
        before = defaultdict(set)
        plain = Counter()
        for ngram, count in raw.items():
            suffix = ngram[-k:]
            if suffix[1:2] == ("<s>",):
                continue
            before[suffix].add(ngram[-k - 1])
            plain[suffix] += count
        counts[k] = {g: plain[g] if g[0] == "<s>" else len(before[g]) for g in before}

    discounts = {}
    for k, table in counts.items():
        n = Counter(table.values())
        if k < order:  # lmplz's slip, see kneser_ney._counts_of_counts
            ids = {"</s>": 2}
            for word in (w for line in lines for w in line.split()):
                ids.setdefault(word, len(ids) + 2)
            last = max(raw, key=lambda g: [ids.get(w, 1) for w in reversed(g)])[-k:]
            if last[1:2] != ("<s>",):
                n[table[last]] -= 1
                n[sum(c for g, c in raw.items() if g[-k:] == last)] += 1
        y = n[1] / (n[1] + 2 * n[2]) if n[1] else 0
        found = [j - (j + 1) * y * n[j + 1] / n[j] if n[j] else -1 for j in (1, 2, 3)]
        usable = all(0 <= d <= j for j, d in enumerate(found, start=1))
        discounts[k] = [0, *(found if usable else FALLBACK)]

    def probability(context, word):
        k = len(context) + 1
        lower = probability(context[1:], word) if context else 1 / len(vocabulary)
        after = {g[-1]: c for g, c in counts[k].items() if g[:-1] == context}
        if not after:
            return lower
        taken = sum(discounts[k][min(c, 3)] for c in after.values())
        own = after.get(word, 0)
        return (own - discounts[k][min(own, 3)] + taken * lower) / sum(after.values())

    return probability, vocabulary


@pytest.mark.parametrize(("seed", "order"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4)])
def test_equals_the_published_formulas(seed, order):
    lines = random_lines(seed)
    found, words = model(lines, order)
    probability, vocabulary = slow_model(lines, order)
    contexts = {ngram[:-1] for ngram in found if ngram != ("<s>",)}
    assert vocabulary == {*words} - {"<s>"}
    for context, word in itertools.product(contexts, vocabulary):
        expected = np.log10(probability(context, word))
        assert log_probability(found, context, word) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("prune", [(), (0, 1), (1,), (1, 1, 2)])
def test_probabilities_add_up_to_one_after_every_context(order, prune):
    found, words = model(random_lines(order), order, prune=prune[:order])
    left = [word for word in words if word != "<s>" and (word,) in found]
    contexts = {ngram[:-1] for ngram in found} | {ngram for ngram in found if len(ngram) < order}
    for context in contexts:
        if context[-1:] == ("</s>",):
            continue
        total = sum(10 ** log_probability(found, context, word) for word in left)
        assert total == pytest.approx(1.0, abs=1e-9)


def test_pruning_leaves_out_what_is_rare_and_keeps_what_longer_ngrams_need():
    lines = random_lines(7)
    whole, _ = model(lines, 3)
    pruned, _ = model(lines, 3, prune=(0, 1, 2))
    assert set(pruned) < set(whole)
    plain = Counter()
    for line in lines:
        words = ["<s>", *line.split(), "</s>"]
        plain.update(itertools.pairwise(words))
        plain.update(zip(words, words[1:], words[2:], strict=False))
    for ngram in whole:
        if len(ngram) > 1:
            assert (ngram in pruned) == (plain[ngram] > len(ngram) - 1)


def test_many_chunks_give_the_counts_of_one():
    ids, words = in_ids(random_lines(3, n_lines=300), 6)
    whole = count_ngrams([ids], order=6, n_words=len(words))
    # As many bits as two columns of keys need, and pieces of a sentence each.
    ends = np.flatnonzero(ids == 2) + 1
    parts = count_ngrams(np.split(ids, ends[:-1]), order=6, n_words=1 << 20)
    np.testing.assert_array_equal(whole.words, parts.words)
    np.testing.assert_array_equal(whole.counts, parts.counts)
    expected = Counter(
        tuple(ids[i : i + 6].tolist()) for i in range(len(ids) - 5) if ids[i + 5] != 1
    )
    assert expected == dict(
        zip(map(tuple, whole.words.tolist()), whole.counts.tolist(), strict=True)
    )


def test_with_one_discount_bigrams_are_nltks(monkeypatch):
    """NLTK has one discount, and words don't share theirs with <unk>: bigrams can be compared."""
    from nltk.lm import KneserNeyInterpolated

    monkeypatch.setattr(kneser_ney, "_discounts", lambda *_: ((0.5, 0.5, 0.5), False))
    lines = random_lines(11)
    found, words = model(lines, 2)
    sentences = [["<s>", *line.split(), "</s>"] for line in lines]
    nltk_model = KneserNeyInterpolated(2, discount=0.5)
    nltk_model.fit([list(itertools.pairwise(s)) for s in sentences], vocabulary_text=words)
    compared = 0
    for ngram, (log_prob, _) in found.items():
        if len(ngram) == 2:
            weight = 10 ** found[ngram[:1]][1]
            own = 10**log_prob - weight * 10 ** found[ngram[1:]][0]
            expected = own + weight * nltk_model.estimator.unigram_score(ngram[1])
            assert nltk_model.score(ngram[1], ngram[:1]) == pytest.approx(expected, abs=1e-9)
            compared += 1
    assert compared > 50


def test_kenlm_gives_a_sentence_what_the_tables_add_up_to(tmp_path):
    kenlm = pytest.importorskip("kenlm")
    from w2v_cli.language_model.arpa import write_arpa

    lines = random_lines(13)
    ids, words = in_ids(lines, 3)
    counts = count_ngrams([ids], order=3, n_words=len(words))
    tables = estimate(counts, n_words=len(words), prune=(0, 0, 1))
    found, _ = model(lines, 3, prune=(0, 0, 1))
    for name in ("lm.arpa", "lm.arpa.gz"):
        path = tmp_path / name
        write_arpa(path, tables, words)
        config = kenlm.Config()
        config.show_progress = False
        config.arpa_complain = kenlm.ARPALoadComplain.NONE
        loaded = kenlm.Model(str(path), config)
        for line in [*lines[:20], "a zebra b"]:
            state, expected = ("<s>",), 0.0
            for word in (*line.split(), "</s>"):
                known = word if (word,) in found else "<unk>"
                expected += log_probability(found, state, known)
                state = (*state, known)[-2:]
            assert loaded.score(line) == pytest.approx(expected, abs=1e-4)


def test_a_text_without_discounts_is_refused_or_gets_the_fallback():
    with pytest.raises(DiscountError, match=r"1-grams count.*use more text"):
        model(["a b", "a c"], 2, fallback=None)
    ids, words = in_ids(["a b", "a c"], 2)
    counts = count_ngrams([ids], order=2, n_words=len(words))
    assert [t.fell_back for t in estimate(counts, n_words=len(words))] == [True, True]


@pytest.mark.parametrize("prune", [[1, 0], [-1], [0, 0, 0, 1]])
def test_thresholds_that_make_no_sense_are_refused(prune):
    with pytest.raises(ValueError, match="do not fall"):
        thresholds(prune, 3)


def lmplz_model(lines, order, prune):
    command = ["lmplz", "-o", str(order), "-S", "100M", "--vocab_estimate", "1000"]
    command += ["--discount_fallback", *(["--prune", *map(str, prune)] if prune else [])]
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        probability, *rest = line.split("\t")
        if rest:
            backoff = float(rest[1]) if len(rest) > 1 else 0.0
            found[tuple(rest[0].split())] = (float(probability), backoff)
    return found


@pytest.mark.skipif(shutil.which("lmplz") is None, reason="needs lmplz of KenLM on the PATH")
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("prune", [(), (0, 1), (1,)])
@pytest.mark.parametrize("seed", range(5))
def test_equals_lmplz(order, prune, seed):
    lines = random_lines(seed, n_lines=30 + 20 * seed)
    found, _ = model(lines, order, prune=prune[:order])
    expected = lmplz_model(lines, order, prune[:order])
    assert set(found) == set(expected)
    for ngram, numbers in expected.items():
        assert found[ngram] == pytest.approx(numbers, abs=1e-4)
