/* The stepper motor of ../motor in C: the same stats and the same motion. A board calls motor_run
 * from main, and motor_on_tick from a timer's interrupt every MOTOR_TICK microseconds. */
#ifndef MOTOR_H
#define MOTOR_H

#define MOTOR_TICK 1000

/* Publishes the stats, starts the timer and never returns; `sleep` waits for an interrupt. */
void motor_run(void (*start_timer)(void), void (*sleep)(void));

void motor_on_tick(void);

#endif
