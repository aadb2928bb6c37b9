/* The motor on an MPS2 board with a Cortex-M3 (AN385). */
#include "motor.h"
#include "start.h"

/* The frequency of the processor in MHz. */
enum { CLOCK = 25 };

/* The registers of the timer SysTick. */
static volatile uint32_t *const systick = (volatile uint32_t *)0xe000e010;

static void start_timer(void)
{
    systick[1] = CLOCK * MOTOR_TICK - 1; /* reload */
    systick[2] = 0;                      /* count */
    systick[0] = 7;                      /* the processor's clock, interrupt, enabled */
}

static void wait_for_interrupt(void)
{
    __asm__ volatile("wfi");
}

int main(void)
{
    motor_run(start_timer, wait_for_interrupt);
    return 0;
}

static void hang(void)
{
    for (;;)
        wait_for_interrupt();
}

/* The initial stack pointer and the handlers of exceptions 1 to 15. */
__attribute__((section(".start"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} vectors = {stack_top,
             {start, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang, hang,
              motor_on_tick}};
