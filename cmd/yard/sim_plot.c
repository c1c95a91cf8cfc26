/* SPDX-License-Identifier: Apache-2.0 */
/* Line charts as SVG: axes with round numbers, one line per series, a legend. */
#include <math.h>

#include "cmd/yard/sim_world.h"

#define WIDTH    860.0
#define HEIGHT   480.0
#define LEFT     70.0
#define RIGHT    150.0
#define TOP      40.0
#define BOTTOM   55.0
#define TICKS    8
#define DRAWN    1000 /* points of a line, at most */
#define FONT     "font-family='sans-serif'"
#define GRID     "#dddddd"
#define INK      "#333333"
#define PALETTES 5

static const char *const palette[PALETTES] = {"#1f5fa8", "#c2571a", "#2f8f4e", "#7a4fa3",
                                              "#a32f4a"};

typedef struct axis {
    double max;
    double step;
} axis;

/* 1, 2 or 5 times a power of ten. */
static axis axis_for(double most) {
    const double raw = most > 0 ? most / TICKS : 0.125;
    const double power = pow(10, floor(log10(raw)));
    const double lead = raw / power;
    const double step = power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
    return (axis){.max = step * ceil((most > 0 ? most : 1) / step), .step = step};
}

static double x_of(const axis *a, double value) {
    return LEFT + value / a->max * (WIDTH - LEFT - RIGHT);
}

static double y_of(const axis *a, double value) {
    return HEIGHT - BOTTOM - value / a->max * (HEIGHT - TOP - BOTTOM);
}

static void draw_axes(FILE *out, const yard_sim_chart *chart, const axis *x, const axis *y) {
    for (double v = 0; v <= x->max * 1.0001; v += x->step) {
        (void)fprintf(out,
                      "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='" GRID "'/>\n"
                      "<text x='%.1f' y='%.1f' text-anchor='middle'>%g</text>\n",
                      x_of(x, v), TOP, x_of(x, v), HEIGHT - BOTTOM, x_of(x, v),
                      HEIGHT - BOTTOM + 18, v);
    }
    for (double v = 0; v <= y->max * 1.0001; v += y->step) {
        (void)fprintf(out,
                      "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='" GRID "'/>\n"
                      "<text x='%.1f' y='%.1f' text-anchor='end'>%g</text>\n",
                      LEFT, y_of(y, v), WIDTH - RIGHT, y_of(y, v), LEFT - 8, y_of(y, v) + 4, v);
    }
    (void)fprintf(out,
                  "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n"
                  "<text x='16' y='%.1f' text-anchor='middle' transform='rotate(-90 16 %.1f)'>%s"
                  "</text>\n<text x='%.1f' y='24' font-size='16'>%s</text>\n",
                  (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, chart->x_label, HEIGHT / 2, HEIGHT / 2,
                  chart->y_label, LEFT, chart->title);
}

static void draw_line(FILE *out, const yard_sim_series *s, size_t index, const axis *x,
                      const axis *y) {
    const size_t step = s->count > DRAWN ? s->count / DRAWN : 1;
    const char *colour = palette[index % PALETTES];
    (void)fprintf(out, "<polyline fill='none' stroke='%s' stroke-width='1.8' points='", colour);
    for (size_t i = 0; i < s->count; i += step) {
        (void)fprintf(out, "%.1f,%.1f ", x_of(x, s->x[i]), y_of(y, s->y[i]));
    }
    if (s->count > 0) {
        (void)fprintf(out, "%.1f,%.1f", x_of(x, s->x[s->count - 1]), y_of(y, s->y[s->count - 1]));
    }
    const double at = TOP + 12 + 20 * (double)index;
    (void)fprintf(out,
                  "'/>\n<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s' "
                  "stroke-width='3'/>\n<text x='%.1f' y='%.1f'>%s</text>\n",
                  WIDTH - RIGHT + 14, at - 4, WIDTH - RIGHT + 34, at - 4, colour,
                  WIDTH - RIGHT + 40, at, s->name);
}

void yard_sim_draw(FILE *out, const yard_sim_chart *chart) {
    double x_most = 0;
    double y_most = 0;
    for (size_t i = 0; i < chart->series_count; i++) {
        for (size_t k = 0; k < chart->series[i].count; k++) {
            x_most = fmax(x_most, chart->series[i].x[k]);
            y_most = fmax(y_most, chart->series[i].y[k]);
        }
    }
    const axis x = axis_for(x_most);
    const axis y = axis_for(y_most);
    (void)fprintf(out,
                  "<svg xmlns='http://www.w3.org/2000/svg' width='%.0f' height='%.0f' " FONT
                  " font-size='12' fill='" INK "'>\n<rect width='100%%' height='100%%' "
                  "fill='white'/>\n",
                  WIDTH, HEIGHT);
    draw_axes(out, chart, &x, &y);
    for (size_t i = 0; i < chart->series_count; i++) {
        draw_line(out, &chart->series[i], i, &x, &y);
    }
    (void)fprintf(out, "</svg>\n");
}
