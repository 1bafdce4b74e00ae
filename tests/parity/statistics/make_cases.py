#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes cases.json: statistics as scipy, statsmodels and numpy compute them.

Run in an environment with numpy, scipy and statsmodels; the versions are stored beside the values.
Bootstrap intervals come from 200,000 resamples, so that what the test's own resamples differ by is
its own noise.
"""
import json
from pathlib import Path

import numpy
import scipy.stats
import statsmodels
from statsmodels.stats.multitest import multipletests

RESAMPLES = 200_000


def bootstrap(values):
    return scipy.stats.bootstrap(values, mean_of_clusters, n_resamples=RESAMPLES, paired=True,
                                 method="percentile", vectorized=True, batch=2_000,
                                 rng=numpy.random.default_rng(1))


def bounds(found):
    return [float(found.confidence_interval.low), float(found.confidence_interval.high)]


def mean_of_clusters(sums, sizes, axis):
    return sums.sum(axis=axis) / sizes.sum(axis=axis)


def pairs_case(random, n, clusters, loss):
    """Scores as of a task: a is b, often worse by about `loss`, both in 0 .. 1."""
    b = numpy.round(random.beta(4, 1.5, n), 3)
    a = numpy.round(numpy.clip(b - random.exponential(loss, n) * random.integers(0, 2, n)
                               + random.normal(0, 0.03, n), 0, 1), 3)
    index = numpy.arange(n) if clusters == n else numpy.sort(random.integers(0, clusters, n))
    names = numpy.unique(index)
    size = numpy.array([(index == k).sum() for k in names])
    sums = {key: numpy.array([side[index == k].sum() for k in names])
            for key, side in {"a": a, "b": b}.items()}
    deltas = bootstrap((sums["a"] - sums["b"], size))
    beyond = min((deltas.bootstrap_distribution <= 0).sum(),
                 (deltas.bootstrap_distribution >= 0).sum())
    return {
        "a": a.tolist(), "b": b.tolist(), "clusters": index.tolist(),
        "delta": float((a - b).mean()),
        "delta_interval": bounds(deltas),
        "p_value": float(min(1, 2 * beyond / RESAMPLES)),
        "ratio": float(a.mean() / b.mean()),
        "ratio_interval": bounds(bootstrap((sums["a"], sums["b"]))),
        "t_test_p": float(scipy.stats.ttest_rel(a, b).pvalue) if clusters == n else None,
    }


def main():
    random = numpy.random.default_rng(7)
    p_values = [numpy.round(random.beta(0.4, 3, n), 6).tolist() for n in (1, 4, 17)]
    ties = [random.integers(0, 4, 30).tolist(), random.integers(0, 4, 30).tolist()]
    x = numpy.log2([0.01, 0.03, 0.05, 0.12, 0.5])
    y = [0.2, 0.25, 0.7, 0.8, 0.95]
    cut = numpy.log2([0.02, 0.2])
    inside = numpy.concatenate([cut[:1], x[1:4], cut[1:]])
    cases = {
        "versions": {"numpy": numpy.__version__, "scipy": scipy.__version__,
                     "statsmodels": statsmodels.__version__},
        "pairs": [pairs_case(random, n, clusters, loss) for n, clusters, loss
                  in ((60, 60, 0.1), (150, 150, 0.03), (200, 200, 0.006), (120, 25, 0.1))],
        "holm": [{"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()} for p in p_values],
        "spearman": {"a": ties[0], "b": ties[1],
                     "rho": float(scipy.stats.spearmanr(ties[0], ties[1]).statistic)},
        "area": {"x": x.tolist(), "y": y,
                 "whole": float(numpy.trapezoid(y, x) / (x[-1] - x[0])),
                 "low": float(cut[0]), "high": float(cut[1]),
                 "cut": float(numpy.trapezoid(numpy.interp(inside, x, y), inside) / (cut[1] - cut[0]))},
    }
    file = Path(__file__).with_name("cases.json")
    file.write_text(json.dumps(cases, indent=1) + "\n")
    print(f"wrote {file}")


if __name__ == "__main__":
    main()
