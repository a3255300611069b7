"""A line plot with logarithmic axes, as SVG."""
import math
from html import escape

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 130, 44, 52
# a name has one colour in all plots
COLOURS = {"pirn": "#c1121f", "libevent": "#1d6fb8", "libev": "#2a8a4a", "libuv": "#8a4fbf", "glib": "#c77700",
           "mutex-cond": "#0f8b8d", "crossbeam": "#0f8b8d", "tokio-delayqueue": "#b5478f", "mio": "#b5478f"}
OTHER = "#4a5a68"


def decades(values):
    """The powers of ten around the values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return list(range(low, max(high, low + 1) + 1))


def number(x):
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:g}{letter}"
    return f"{x:g}"


def spread(wanted, gap):
    """The wanted heights of the labels, moved apart to at least gap."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    out, last = list(wanted), -math.inf
    for i in order:
        out[i] = last = max(wanted[i], last + gap)
    overflow = last - (HEIGHT - BOTTOM)
    return [y - max(0, overflow) for y in out]


def line_plot(title, x_title, y_title, series):
    """`series`: {name: [(x, y), ...]}; the first one is drawn thick."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [max(y, 0.1) for points in series.values() for _, y in points]
    x_decades, y_decades = decades(xs), decades(ys)
    x_low, x_high = math.log10(min(xs)), math.log10(max(xs))
    y_low, y_high = y_decades[0], y_decades[-1]

    def px(x):
        return LEFT + (math.log10(x) - x_low) / max(x_high - x_low, 1e-9) * (WIDTH - LEFT - RIGHT)

    def py(y):
        return HEIGHT - BOTTOM - (math.log10(max(y, 0.1)) - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="15" fill="#222222">{escape(title)}</text>',
    ]
    for d in y_decades:
        y = py(10.0 ** d)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e2e2"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#555555">{number(10.0 ** d)}</text>')
    for d in x_decades:
        if x_low - 1e-9 <= d <= x_high + 1e-9:
            x = px(10.0 ** d)
            out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#efefef"/>')
            out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#555555">{number(10.0 ** d)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle:.0f}" y="{HEIGHT - 12}" text-anchor="middle" fill="#333333">{escape(x_title)}</text>')
    out.append(f'<text transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle" fill="#333333">{escape(y_title)}</text>')
    labels = spread([py(points[-1][1]) for points in series.values()], 15)
    for i, (name, points) in enumerate(series.items()):
        colour, width = COLOURS.get(name, OTHER), 3 if i == 0 else 1.5
        path = " ".join(f"{px(x):.1f},{py(y):.1f}" for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        out += [f'<circle cx="{px(x):.1f}" cy="{py(y):.1f}" r="{width + 0.5}" fill="{colour}"/>' for x, y in points]
        weight = ' font-weight="bold"' if i == 0 else ""
        out.append(f'<text x="{px(points[-1][0]) + 10:.1f}" y="{labels[i] + 4:.1f}" fill="{colour}"{weight}>{escape(name)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
