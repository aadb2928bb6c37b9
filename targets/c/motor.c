#include "motor.h"

/* Memory of its own, which start-up code leaves alone: the stats survive a reset. */
#define MMSTATS_SECTION __attribute__((section(".persistent")))
#include "mmstats.h"

#define MOTOR(F, M)                                                                               \
    MMSTATS_FIELD(F, M, counter32, boots, "motor.boots", MMSTATS_NO_UNIT, 0,                      \
                  "How often it was started, power-on included.")                                 \
    MMSTATS_FIELD(F, M, counter32, steps, "motor.steps", MMSTATS_NO_UNIT, 0, "Steps made.")       \
    MMSTATS_FIELD(F, M, counter64, distance, "motor.distance", MMSTATS_UNIT("meters", -6), 0,     \
                  "How far it moved its load, to and fro.")                                       \
    MMSTATS_HISTOGRAM(F, M, 2, 20, interval, "motor.interval", MMSTATS_UNIT("seconds", -6), 0,    \
                      "Time between two steps.")                                                  \
    MMSTATS_FIELD(F, M, gauge_i16, temperature, "motor.temperature", MMSTATS_UNIT("celsius", -1), \
                  0, "Of the winding.")                                                           \
    MMSTATS_TEXT(F, M, 12, state, "motor.state", 0, "Its activity.")

#ifdef IN_RAM
MMSTATS_MODEL_IN_RAM(motor, MOTOR);
MMSTATS_REGION_IN_RAM(motor, MOTOR, motor);
#else
MMSTATS_MODEL(motor, MOTOR);
MMSTATS_REGION(motor, MOTOR, motor);
#endif

/* The temperature of the room, in tenths of degrees. */
enum { AMBIENT = 200 };

/* Turns after a start, steps of a turn, steps in which it accelerates and in which it brakes, and
 * ticks between two turns. */
enum { MOVES = 250, STEPS = 200, RAMP = 16, REST = 100 };

/* Micrometres per step. */
enum { PITCH = 5 };

typedef enum { STARTING, RUNNING, STOPPING, RESTING, DONE, UNKNOWN } phase;

static const char *const phases[] = {"starting", "running", "stopping", "resting", "done"};

/* The progress of the motor: the step in this turn, and ticks until the next step or turn. */
typedef struct {
    uint32_t moves, step, wait;
} profile;

static phase phase_of(const profile *at)
{
    return at->moves == MOVES        ? DONE
           : at->step == 0           ? RESTING
           : at->step < RAMP         ? STARTING
           : at->step <= STEPS - RAMP ? RUNNING
                                     : STOPPING;
}

/* Returns the ticks of a step: from 9 down to 1 and up again. */
static uint32_t interval(uint32_t step)
{
    const uint32_t from_the_end = STEPS + 1 - step;
    const uint32_t nearest = step < from_the_end ? step : from_the_end;
    return nearest < RAMP ? 9 - nearest / 2 : 1;
}

/* Makes a tick. If it is time for a step, returns the ticks since the step before (or since the
 * start of the turn), otherwise 0. */
static uint32_t tick(profile *at)
{
    if (at->moves == MOVES || --at->wait > 0)
        return 0;
    const uint32_t made = at->step == 0 ? 0 : interval(at->step);
    if (++at->step <= STEPS) {
        at->wait = interval(at->step);
    } else {
        at->step = 0;
        at->moves++;
        at->wait = REST;
    }
    return made;
}

/* Ticks so far. Only the interrupt writes it. */
static uint32_t ticks;

/* The interrupt owns steps, distance and interval, and motor_run the other fields. */
void motor_on_tick(void)
{
    static profile at = {0, 0, REST};
    const uint32_t made = tick(&at);
    if (made > 0) {
        mmstats_counter32_incr(&motor.steps);
        mmstats_counter64_add(&motor.distance, PITCH);
        mmstats_histogram_record(&motor.interval, made * MOTOR_TICK);
    }
    MMSTATS_STORE(uint32_t, &ticks, ticks + 1);
}

void motor_run(void (*start_timer)(void), void (*sleep)(void))
{
    profile at = {0, 0, REST};
    phase shown = UNKNOWN;
    uint32_t heat = 0; /* the difference to the room; 2^9 are a tenth of a degree */
    if (!mmstats_resume(&motor_descriptor))
        mmstats_begin(&motor_descriptor);
    mmstats_gauge_i16_set(&motor.temperature, AMBIENT);
    mmstats_text_set(&motor.state, "off");
    mmstats_publish(&motor_descriptor);
    mmstats_counter32_incr(&motor.boots);
    start_timer();
    for (uint32_t seen = 0;; sleep()) {
        for (; seen != MMSTATS_LOAD(uint32_t, &ticks); seen++) {
            (void)tick(&at); /* the interrupt makes the step */
            const phase now = phase_of(&at);
            if (now != shown)
                mmstats_text_set(&motor.state, phases[now]);
            shown = now;
            heat += now == RESTING || now == DONE ? 0 : 40;
            heat -= (heat + 0xfff) >> 12; /* rounded up, so that it reaches 0 */
            mmstats_gauge_i16_set(&motor.temperature, (int16_t)(AMBIENT + (heat >> 9)));
        }
    }
}
