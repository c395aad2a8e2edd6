/*
 * Chargers that live at a given pace, in one process: heartbeats, readings and records of charges, each when it is due,
 * whether the platform keeps up or not; and what they wait for their answers, by this process's clock.
 *
 *   pacer HOST PORT TRAFFIC CONNECTIONS CHARGING PROBES SECONDS READINGS HEARTBEATS RECORDS PER_S_OF_PROBES SEED CHARGES
 *         [SOURCE]
 *
 * TRAFFIC holds five frames for each connection, the same number of bytes each: login, tariff check, heartbeat, realtime
 * frame, record. All connect, log in and check their tariff first; then "ready" is printed, and a line on stdin begins
 * what is measured. READINGS, HEARTBEATS, RECORDS: so many a second of all together, in turn: realtime frames and
 * records by the first CHARGING connections, heartbeats by all. A record ends a charge, and its charger begins the next;
 * charges are numbered from CHARGES + 1 on. SOURCE: the address to connect from.
 * PROBES connections behind the others connect, log in and hang up, in turn, PER_S_OF_PROBES a second. A second line on
 * stdin, or its end, ends it before SECONDS are over.
 *
 * What finds no room in the socket is not sent and counted (`no_room`); a heartbeat or record whose predecessor is
 * unanswered when it is due counts that one as missed. `behind_ms`: the longest that this process was late itself.
 * `digest` is the sum over all readings sent of a mixture of session, sequence number and energy, modulo 2^64.
 */
#define _GNU_SOURCE
#include "charger_lines.h"

enum {
    LOGIN,
    CHECK,
    HEARTBEAT,
    READING,
    RECORD,
    FRAMES,
    FRAME_BYTES_MAX = 256,
    SEQ_AT = 2,
    TRADE_END_AT = BODY_AT + 16,
    TRADE_NUMBER_BYTES = 4,
    CURRENT_AT = BODY_AT + 29,
    MINUTES_AT = BODY_AT + 42,
    ENERGY_AT = BODY_AT + 46,
    LOSS_ENERGY_AT = BODY_AT + 50,
    AMOUNT_AT = BODY_AT + 54,
    START_AT = BODY_AT + 24,
    END_AT = BODY_AT + 31,
    FLAT_ENERGY_AT = BODY_AT + 74,
    FLAT_LOSS_ENERGY_AT = BODY_AT + 78,
    FLAT_AMOUNT_AT = BODY_AT + 82,
    METER_END_AT = BODY_AT + 107,
    TOTAL_ENERGY_AT = BODY_AT + 112,
    TOTAL_LOSS_ENERGY_AT = BODY_AT + 116,
    TOTAL_AMOUNT_AT = BODY_AT + 120,
    TRADE_TIME_AT = BODY_AT + 142,
    AT_ONCE = 64, /* frames sent before answers are looked at */
    CATCH_UP_US = 500000,
    LINGER_US = 5000000,
    ZONE_S = 8 * 3600,
};

static const double POWER_W = 60000, VOLTS = 600;
static const double E4KWH_PER_W_US = 1e4 / 3.6e12, E4YUAN_PER_E4KWH = 1.4;

struct charger {
    struct connection line; /* first: epoll knows this address */
    uint8_t rest[FRAME_BYTES_MAX];
    uint8_t rest_bytes, rest_at; /* of a frame that the socket took in part */
    uint16_t seq;
    uint32_t charge; /* number of the charge under way */
    int64_t began_us, begins_at_ms;
    int64_t last_us;
    double energy; /* e4kwh */
    int64_t beat_us, record_us; /* when the unanswered one left, 0 = none waits */
};

struct kind {
    double per_s;
    uint64_t due, sent, no_room, missed;
    uint32_t turn, of;
    int (*act)(struct charger *, int64_t);
    struct waits waits;
};

static const uint8_t *traffic;
static size_t each, frame_at[FRAMES + 1];
static struct charger *chargers;
static int count, charging, probes, lost, refusals, is_told_to_end;
static uint64_t digest, random_state;
static struct waits login_waits;
static uint16_t crc_table[256];
static int64_t clock_offset_us; /* from the monotonic clock to that of the world */

static int send_heartbeat(struct charger *charger, int64_t at_us);
static int send_reading(struct charger *charger, int64_t at_us);
static int send_record(struct charger *charger, int64_t at_us);
static int begin_probe(struct charger *charger, int64_t at_us);

enum { READINGS, HEARTBEATS, RECORDS, PROBING, KINDS };
static struct kind kinds[KINDS] = {
    {.act = send_reading}, {.act = send_heartbeat}, {.act = send_record}, {.act = begin_probe}};
static const char *kind_names[KINDS] = {"readings", "heartbeats", "records", "logins"};

static void make_crc_table(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint16_t rest = byte;
        for (int bit = 0; bit < 8; bit++) rest = rest & 1 ? rest >> 1 ^ 0xA001 : rest >> 1;
        crc_table[byte] = rest;
    }
}

/* Sequence number and checksum, low byte first. */
static void seal(uint8_t *frame, size_t length, uint16_t seq) {
    uint16_t rest = 0xFFFF;
    memcpy(frame + SEQ_AT, &seq, 2);
    for (size_t i = SEQ_AT; i < length - 2; i++) rest = rest >> 8 ^ crc_table[(rest ^ frame[i]) & 0xFF];
    memcpy(frame + length - 2, &rest, 2);
}

static double noise(void) { /* between -1 and 1 */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)(int64_t)random_state / 9.3e18;
}

static void put32(uint8_t *at, double value) {
    uint32_t whole = (uint32_t)value;
    memcpy(at, &whole, sizeof whole);
}

static void put_time(uint8_t *at, int64_t epoch_ms) { /* CP56Time2a, local time */
    time_t seconds = epoch_ms / 1000 + ZONE_S;
    struct tm local;
    gmtime_r(&seconds, &local);
    uint16_t in_minute = local.tm_sec * 1000 + epoch_ms % 1000;
    memcpy(at, &in_minute, 2);
    at[2] = local.tm_min;
    at[3] = local.tm_hour;
    at[4] = local.tm_mday;
    at[5] = local.tm_mon + 1;
    at[6] = local.tm_year - 100;
}

/* The last digits of the trade number; the template has zeros there. */
static void put_charge(uint8_t *frame, uint32_t charge) {
    for (int i = 1; i <= TRADE_NUMBER_BYTES; i++, charge /= 100)
        frame[TRADE_END_AT - i] = charge / 10 % 10 << 4 | charge % 10;
}

static uint64_t big_endian(const uint8_t *at) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | at[i];
    return value;
}

static uint64_t mixed(const uint8_t *frame) {
    uint16_t seq;
    uint32_t energy;
    memcpy(&seq, frame + SEQ_AT, sizeof seq);
    memcpy(&energy, frame + ENERGY_AT, sizeof energy);
    uint64_t mix = big_endian(frame + BODY_AT) * 0x9E3779B97F4A7C15u + big_endian(frame + BODY_AT + 8) * 0xC2B2AE3D27D4EB4Fu +
                   seq * 0x165667B19E3779F9u + energy * 0xD6E8FEB86659FD93u;
    return mix ^ mix >> 32;
}

static int64_t epoch_ms(int64_t at_us) { return (at_us + clock_offset_us) / 1000; }

static void begin_charge(struct charger *charger, int64_t at_us) {
    charger->charge++;
    charger->energy = 0;
    charger->began_us = charger->last_us = at_us;
}

static uint8_t *of_template(struct charger *charger, int frame, size_t *length) {
    static uint8_t made[FRAME_BYTES_MAX];
    *length = frame_at[frame + 1] - frame_at[frame];
    memcpy(made, charger->line.traffic + frame_at[frame], *length);
    return made;
}

static void lose(struct charger *charger) {
    close(charger->line.socket);
    charger->line.state = CLOSED;
    lost++;
}

/* Send a whole frame, or nothing when what left before is still on its way; gives whether it leaves. */
static int send_frame(struct charger *charger, const uint8_t *frame, size_t length) {
    if (charger->line.state != LOGGED_IN || charger->rest_at < charger->rest_bytes) return 0;
    ssize_t sent = send(charger->line.socket, frame, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return 0;
    if (sent < 0) {
        lose(charger);
        return 0;
    }
    if ((size_t)sent < length) {
        charger->rest_at = 0;
        charger->rest_bytes = length - sent;
        memcpy(charger->rest, frame + sent, length - sent);
        watch(&charger->line, 1);
    }
    return 1;
}

static void send_rest(struct charger *charger) {
    size_t left = charger->rest_bytes - charger->rest_at;
    ssize_t sent = left ? send(charger->line.socket, charger->rest + charger->rest_at, left, MSG_NOSIGNAL) : 0;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) {
        lose(charger);
        return;
    }
    charger->rest_at += sent;
    if (charger->rest_at == charger->rest_bytes) watch(&charger->line, 0);
}

static int send_heartbeat(struct charger *charger, int64_t at_us) {
    size_t length;
    uint8_t *frame = of_template(charger, HEARTBEAT, &length);
    if (charger->beat_us) kinds[HEARTBEATS].missed++;
    charger->beat_us = 0;
    seal(frame, length, charger->seq);
    if (!send_frame(charger, frame, length)) return 0;
    charger->seq++;
    charger->beat_us = at_us;
    return 1;
}

static int send_reading(struct charger *charger, int64_t at_us) {
    size_t length;
    uint8_t *frame = of_template(charger, READING, &length);
    if (!charger->began_us) begin_charge(charger, at_us);
    double power_w = POWER_W * (1 + 0.02 * noise());
    double energy = charger->energy + power_w * (at_us - charger->last_us) * E4KWH_PER_W_US;
    uint16_t current_da = power_w / VOLTS * 10, minutes = (at_us - charger->began_us) / 60000000;
    put_charge(frame, charger->charge);
    memcpy(frame + CURRENT_AT, &current_da, 2);
    memcpy(frame + MINUTES_AT, &minutes, 2);
    put32(frame + ENERGY_AT, energy);
    put32(frame + LOSS_ENERGY_AT, energy);
    put32(frame + AMOUNT_AT, (uint32_t)energy * E4YUAN_PER_E4KWH);
    seal(frame, length, charger->seq);
    if (!send_frame(charger, frame, length)) return 0;
    charger->seq++;
    charger->energy = energy;
    charger->last_us = at_us;
    digest += mixed(frame);
    return 1;
}

static int send_record(struct charger *charger, int64_t at_us) {
    size_t length;
    uint8_t *frame = of_template(charger, RECORD, &length);
    if (charger->record_us) kinds[RECORDS].missed++;
    charger->record_us = 0;
    if (!charger->began_us) begin_charge(charger, at_us);
    put_charge(frame, charger->charge);
    put_time(frame + START_AT, epoch_ms(charger->began_us));
    put_time(frame + END_AT, epoch_ms(at_us));
    put_time(frame + TRADE_TIME_AT, epoch_ms(at_us));
    static const int energies[] = {FLAT_ENERGY_AT, FLAT_LOSS_ENERGY_AT, METER_END_AT, TOTAL_ENERGY_AT, TOTAL_LOSS_ENERGY_AT};
    for (size_t i = 0; i < sizeof energies / sizeof *energies; i++) put32(frame + energies[i], charger->energy);
    put32(frame + FLAT_AMOUNT_AT, (uint32_t)charger->energy * E4YUAN_PER_E4KWH);
    put32(frame + TOTAL_AMOUNT_AT, (uint32_t)charger->energy * E4YUAN_PER_E4KWH);
    seal(frame, length, charger->seq);
    if (!send_frame(charger, frame, length)) return 0;
    charger->seq++;
    charger->record_us = at_us;
    begin_charge(charger, at_us);
    return 1;
}

static int begin_probe(struct charger *charger, int64_t at_us) {
    if (charger->line.state == CONNECTING) { /* the one before has not got in */
        kinds[PROBING].missed++;
        note_wait(&kinds[PROBING].waits, at_us - charger->line.asked_us);
        lose(charger);
    }
    connect_one(&charger->line);
    return 1;
}

static void take_answers(struct charger *charger) {
    struct answers found = read_answers(&charger->line);
    int64_t at_us = now_us();
    refusals += found.refusals;
    if (found.heartbeats && charger->beat_us) {
        note_wait(&kinds[HEARTBEATS].waits, at_us - charger->beat_us);
        charger->beat_us = 0;
    }
    if (found.records && charger->record_us) {
        note_wait(&kinds[RECORDS].waits, at_us - charger->record_us);
        charger->record_us = 0;
    }
    if (found.lost) lose(charger);
}

static void go_on(struct charger *charger, uint32_t events) {
    if (charger->line.state == CONNECTING) {
        size_t login_bytes = chargers + count > charger ? frame_at[HEARTBEAT] : frame_at[CHECK];
        go_on_with_login(&charger->line, login_bytes, events,
                         charger < chargers + count ? &login_waits : &kinds[PROBING].waits);
        if (charger->line.state == LOGGED_IN && charger >= chargers + count) {
            close(charger->line.socket);
            charger->line.state = CLOSED;
        }
        return;
    }
    if (charger->line.state != LOGGED_IN) return;
    if (events & EPOLLOUT) send_rest(charger);
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && charger->line.state == LOGGED_IN) take_answers(charger);
}

static void handle_events(int timeout_ms) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poller, events, EVENTS, timeout_ms);
    for (int i = 0; i < ready; i++) {
        if (events[i].data.ptr)
            go_on(events[i].data.ptr, events[i].events);
        else
            is_told_to_end = 1;
    }
}

static void log_all_in(void) {
    int64_t until_us = now_us() + PATIENCE_US;
    for (int begun = 0; (int)login_waits.count < count;) {
        while (begun < count && begun - (int)login_waits.count < CONNECTING_AT_ONCE) connect_one(&chargers[begun++].line);
        handle_events(100);
        if (now_us() > until_us) die("not all could log in");
    }
}

/* Everything that is due by now, a little of each kind in turn; gives whether all of it was done. */
static int do_what_is_due(int64_t elapsed_us, int64_t *behind_us) {
    int is_done = 1;
    for (int i = 0; i < KINDS; i++) {
        struct kind *kind = &kinds[i];
        if (!kind->of || kind->per_s <= 0) continue;
        uint64_t due = (uint64_t)(elapsed_us * kind->per_s / 1e6);
        for (int n = 0; n < AT_ONCE && kind->due < due; n++) {
            struct charger *charger = &chargers[(kind == &kinds[PROBING] ? count : 0) + kind->turn];
            int64_t late_us = elapsed_us - (int64_t)((kind->due + 1) / kind->per_s * 1e6);
            if (late_us > *behind_us) *behind_us = late_us;
            kind->turn = kind->turn + 1 == kind->of ? 0 : kind->turn + 1;
            kind->due++;
            if (kind->act(charger, now_us()))
                kind->sent++;
            else
                kind->no_room++;
        }
        if (kind->due < due) is_done = 0;
    }
    return is_done;
}

static int some_wait(void) {
    for (int i = 0; i < count; i++) {
        struct charger *charger = &chargers[i];
        if (charger->line.state == LOGGED_IN && (charger->beat_us || charger->record_us || charger->rest_at < charger->rest_bytes))
            return 1;
    }
    return 0;
}

static void live(double seconds) {
    int64_t begin_us = now_us(), length_us = (int64_t)(seconds * 1e6), elapsed_us = 0, behind_us = 0;
    struct epoll_event told = {.events = EPOLLIN | EPOLLONESHOT};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &told) < 0) die("stdin");
    while (elapsed_us < length_us && !is_told_to_end) {
        int is_done = do_what_is_due(elapsed_us, &behind_us);
        handle_events(is_done ? 1 : 0);
        elapsed_us = now_us() - begin_us;
    }
    int64_t until_us = begin_us + length_us + CATCH_UP_US; /* what is later still is not sent */
    while (!is_told_to_end && now_us() < until_us && !do_what_is_due(length_us, &behind_us)) handle_events(0);
    int64_t end_us = now_us();
    while (some_wait() && now_us() - end_us < LINGER_US) handle_events(10);
    for (int i = 0; i < count; i++) {
        kinds[HEARTBEATS].missed += chargers[i].beat_us != 0;
        kinds[RECORDS].missed += chargers[i].record_us != 0;
    }
    printf("{\"seconds\": %.6f, \"behind_ms\": %.3f, \"lost\": %d, \"refusals\": %d, \"digest\": \"%llu\", \"peak_kib\": %ld",
           (end_us - begin_us) / 1e6, behind_us / 1000.0, lost, refusals, (unsigned long long)digest, peak_kib());
    for (int i = 0; i < KINDS; i++) {
        struct kind *kind = &kinds[i];
        printf(", \"%s\": {\"sent\": %llu, \"no_room\": %llu, \"missed\": %llu, ", kind_names[i],
               (unsigned long long)kind->sent, (unsigned long long)kind->no_room, (unsigned long long)kind->missed);
        print_waits("wait_ms", &kind->waits);
        printf("}");
    }
    printf(", ");
    print_waits("first_logins", &login_waits);
    printf("}\n");
}

int main(int argc, char **argv) {
    if (argc != 14 && argc != 15) {
        fprintf(stderr, "usage: pacer HOST PORT TRAFFIC CONNECTIONS CHARGING PROBES SECONDS READINGS HEARTBEATS RECORDS "
                        "PER_S_OF_PROBES SEED CHARGES [SOURCE]\n");
        return 2;
    }
    program = "pacer";
    size_t size;
    traffic = mapped(argv[3], &size);
    count = atoi(argv[4]), charging = atoi(argv[5]), probes = atoi(argv[6]);
    for (int frame = 0; frame < FRAMES; frame++)
        frame_at[frame + 1] = frame_at[frame] + traffic[frame_at[frame] + 1] + ENVELOPE_BYTES;
    each = frame_at[FRAMES];
    if (size < each * (count + probes)) die("the traffic is too short");
    uint32_t of[KINDS] = {charging, count, charging, probes};
    for (int i = 0; i < KINDS; i++) {
        kinds[i].per_s = atof(argv[8 + i]);
        kinds[i].of = of[i];
    }
    random_state = 0x9E3779B97F4A7C15u * (strtoull(argv[12], NULL, 10) + 1);
    make_crc_table();
    open_lines(argv[1], argv[2], argc > 14 ? argv[14] : NULL);
    struct timespec world;
    clock_gettime(CLOCK_REALTIME, &world);
    clock_offset_us = (int64_t)world.tv_sec * 1000000 + world.tv_nsec / 1000 - now_us();
    chargers = calloc(count + probes, sizeof *chargers);
    if (chargers == NULL) die("memory");
    for (int i = 0; i < count + probes; i++) {
        chargers[i].line.traffic = traffic + i * each;
        chargers[i].charge = atoi(argv[13]);
    }
    log_all_in();
    printf("ready\n");
    fflush(stdout);
    char line[16];
    if (fgets(line, sizeof line, stdin) == NULL) die("nobody said when to begin");
    live(atof(argv[7]));
    return 0;
}
