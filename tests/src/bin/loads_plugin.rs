//! `loads_plugin LIBRARY FILE`: loads a library, uses it in a thread and unloads it; then forks,
//! and reads beyond the end of an empty file, which is the end of a program without handlers.
#![allow(unsafe_code)]

use mmstats_tests::programs::say;
use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::thread;

fn main() {
    let [library, path] = [1, 2].map(|i| std::env::args().nth(i).expect("LIBRARY FILE expected"));
    let library = CString::new(library).expect("no NUL");
    // SAFETY: the library has no constructors.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW) };
    assert!(!handle.is_null(), "it can be loaded");
    // SAFETY: the library has a function `run` of this type.
    let run: extern "C" fn() -> bool = unsafe {
        let run = libc::dlsym(handle, c"run".as_ptr());
        assert!(!run.is_null(), "it has the function");
        std::mem::transmute(run)
    };
    // The C library does not unload it while a thread has variables of it.
    let result = thread::spawn(move || run()).join().expect("it does not panic");
    say(if result { "published" } else { "not published" });
    // SAFETY: its function is not called again.
    assert_eq!(unsafe { libc::dlclose(handle) }, 0);
    // SAFETY: the only thread; the child exits at once. Then a mapping, which is the last access.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(0);
        }
        let mut status = 1;
        libc::waitpid(child, &raw mut status, 0);
        say(if status == 0 { "forked" } else { "not forked" });
        let file = std::fs::File::create_new(path).expect("it does not exist yet");
        let flags = (libc::PROT_READ, libc::MAP_PRIVATE);
        let address = libc::mmap(null_mut(), 4096, flags.0, flags.1, file.as_raw_fd(), 0);
        assert_ne!(address, libc::MAP_FAILED);
        say(&address.cast::<u8>().read_volatile().to_string());
    }
}
