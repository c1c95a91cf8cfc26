/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 as Go's encoding/json writes it: nanoseconds without trailing zeros, any offset.
 *
 * SPEC BOOK-30 */
#include "p2p/addr_book_internal.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_S   1000000000
#define DAY_S      86400
#define NEVER_TEXT "0001-01-01T00:00:00Z"
#define YEAR_MIN   1678 /* whole years that 64 bits of nanoseconds can hold */
#define YEAR_MAX   2261

/* Days from 1970-01-01 in the Gregorian calendar; years count from March, so that a leap day is the
 * last day of its year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t era = y / 400;
    const int64_t of_era = y - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *ret_year, int64_t *ret_month, int64_t *ret_day) {
    const int64_t shifted = days + 719468;
    const int64_t era = shifted / 146097;
    const int64_t of_era = shifted - era * 146097;
    const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const int64_t month = (5 * of_year + 2) / 153;
    *ret_day = of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

void sy_book_time_format(int64_t unix_ns, char out[BOOK_TIME_CAP]) {
    if (unix_ns == SY_BOOK_NEVER) {
        memcpy(out, NEVER_TEXT, sizeof NEVER_TEXT);
        return;
    }
    int64_t seconds = unix_ns / NS_PER_S;
    int64_t ns = unix_ns % NS_PER_S;
    if (ns < 0) {
        ns += NS_PER_S;
        seconds--;
    }
    int64_t days = seconds / DAY_S;
    int64_t rest = seconds % DAY_S;
    if (rest < 0) {
        rest += DAY_S;
        days--;
    }
    int64_t year;
    int64_t month;
    int64_t day;
    date_of(days, &year, &month, &day);
    int used = snprintf(out, BOOK_TIME_CAP, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, (int)month,
                        (int)day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    if (ns != 0) {
        used += snprintf(out + used, BOOK_TIME_CAP - (size_t)used, ".%09d", (int)ns);
        while (out[used - 1] == '0') {
            used--;
        }
    }
    memcpy(out + used, "Z", 2);
}

/* ---- Reading -----------------------------------------------------------------------------------
 */

typedef struct cursor {
    const char *text;
    size_t len;
    size_t at;
    bool failed;
} cursor;

static char peek(const cursor *c) {
    return c->at < c->len ? c->text[c->at] : '\0';
}

static void expect(cursor *c, char a, char b) {
    const char found = peek(c);
    if (c->at >= c->len || (found != a && found != b)) {
        c->failed = true;
        return;
    }
    c->at++;
}

/* Exactly so many digits, at most max. */
static int64_t number(cursor *c, size_t digits, int64_t min, int64_t max) {
    int64_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        const char digit = peek(c);
        if (digit < '0' || digit > '9') {
            c->failed = true;
            return min;
        }
        value = value * 10 + (digit - '0');
        c->at++;
    }
    if (value < min || value > max) {
        c->failed = true;
        return min;
    }
    return value;
}

static int64_t fraction(cursor *c) {
    int64_t ns = 0;
    int digits = 0;
    if (peek(c) != '.') {
        return 0;
    }
    c->at++;
    while (peek(c) >= '0' && peek(c) <= '9') {
        if (digits < 9) {
            ns = ns * 10 + (peek(c) - '0');
            digits++;
        }
        c->at++;
    }
    c->failed |= digits == 0;
    for (; digits < 9; digits++) {
        ns *= 10;
    }
    return ns;
}

/* Seconds east of UTC. */
static int64_t offset(cursor *c) {
    const char sign = peek(c);
    if (sign == 'Z' || sign == 'z') {
        c->at++;
        return 0;
    }
    expect(c, '+', '-');
    const int64_t hours = number(c, 2, 0, 23);
    expect(c, ':', ':');
    const int64_t minutes = number(c, 2, 0, 59);
    const int64_t seconds = hours * 3600 + minutes * 60;
    return sign == '-' ? -seconds : seconds;
}

static int64_t month_days(int64_t year, int64_t month) {
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool sy_book_time_parse(const char *text, size_t len, int64_t *ret_unix_ns) {
    cursor c = {text, len, 0, false};
    const int64_t year = number(&c, 4, 1, 9999);
    expect(&c, '-', '-');
    const int64_t month = number(&c, 2, 1, 12);
    expect(&c, '-', '-');
    const int64_t day = number(&c, 2, 1, month_days(year, month));
    expect(&c, 'T', 't');
    const int64_t hour = number(&c, 2, 0, 23);
    expect(&c, ':', ':');
    const int64_t minute = number(&c, 2, 0, 59);
    expect(&c, ':', ':');
    const int64_t second = number(&c, 2, 0, 60);
    const int64_t ns = fraction(&c);
    const int64_t east = offset(&c);
    if (c.failed || c.at != c.len) {
        return false;
    }
    if (year < YEAR_MIN) {
        *ret_unix_ns = SY_BOOK_NEVER; /* Go's zero time, in whatever zone */
        return true;
    }
    if (year > YEAR_MAX) {
        return false;
    }
    const int64_t seconds =
        days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - east;
    *ret_unix_ns = seconds * NS_PER_S + ns;
    return true;
}
