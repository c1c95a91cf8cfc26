# SPDX-License-Identifier: Apache-2.0
"""An SVG chart of the results: per row one bar for each subject, scaled to the best of the row."""

import statistics
from xml.sax.saxutils import escape

COLOURS = {"switchyard": "#1f5fa8", "cometbft-v0.40.0": "#c8553d", "cometbft-v0.38.26": "#e08e79",
           "tendermint-v0.22.8": "#8c3a2b", "libp2p-rust": "#7a8b3c", "zeromq-curve": "#b9a44c",
           "tendermint-rs": "#5d737e", "tcp": "#bbbbbb"}
BAR, GAP, LEFT, WIDTH = 13, 14, 250, 460


def number(x):
    return "%.0f" % x if x >= 100 else "%.3g" % x


def write(table, path):
    parts, y = [], 34
    for row, line in table.items():
        medians = {s: statistics.median(v) for s, v in line["subjects"].items()}
        top = max(medians.values()) or 1
        better = "more is better" if line["higher"] else "less is better"
        parts.append('<text x="10" y="%d" font-weight="bold">%s</text>'
                     '<text x="%d" y="%d" fill="#777">%s, %s</text>'
                     % (y, escape(row), LEFT, y, escape(line["unit"]), better))
        y += 6
        for subject, median in medians.items():
            parts.append('<text x="%d" y="%d" text-anchor="end">%s</text>'
                         % (LEFT - 8, y + BAR - 3, escape(subject)))
            parts.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>'
                         % (LEFT, y, max(1.0, WIDTH * median / top), BAR - 2,
                            COLOURS.get(subject, "#999")))
            parts.append('<text x="%.1f" y="%d">%s</text>'
                         % (LEFT + max(1.0, WIDTH * median / top) + 5, y + BAR - 3,
                            number(median)))
            y += BAR
        y += GAP + 10
    path.write_text('<?xml version="1.0"?>\n<!-- SPDX-License-Identifier: Apache-2.0 -->\n'
                    '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
                    'font-family="sans-serif" font-size="11">\n'
                    '<rect width="100%%" height="100%%" fill="white"/>\n'
                    '<text x="10" y="16" font-size="13">medians of one run</text>\n%s\n</svg>\n'
                    % (LEFT + WIDTH + 90, y, "\n".join(parts)))
