//! A userspace file system of one's own, as small as will do: an empty folder, in which files can be made and named, and nothing else.
//! Layouts are those of `linux/fuse.h`.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

use shmetrics::{OpenError, Reader};

use super::mounts::*;
use super::*;

/// Requests that need an answer of their own; all others are refused.
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const MKNOD: u32 = 8;
const UNLINK: u32 = 10;
const OPEN: u32 = 14;
const STATFS: u32 = 17;
const RELEASE: u32 = 18;
const INIT: u32 = 26;
const BATCH_FORGET: u32 = 42;

const ROOT: u64 = 1;
/// The one name that is there from the start.
const THERE: &str = "there";

/// The words of a `fuse_attr`: the root is a folder, all others are empty files.
fn attributes(node: u64) -> Vec<u8> {
    let mode: u32 = if node == ROOT { 0o40755 } else { 0o100_644 };
    let mut bytes = Vec::new();
    // Number, size, blocks, three times; their nanoseconds; mode, links, user, group, device, block size, flags.
    [node, 0, 0, 0, 0, 0]
        .iter()
        .for_each(|word| bytes.extend(word.to_ne_bytes()));
    let halves = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0];
    halves
        .iter()
        .for_each(|half: &u32| bytes.extend(half.to_ne_bytes()));
    bytes
}

/// A `fuse_entry_out`; nothing may be remembered.
fn entry(node: u64) -> Vec<u8> {
    let words = [node, 0, 0, 0, 0].map(u64::to_ne_bytes).concat();
    [words, attributes(node)].concat()
}

/// The answer to a request, or an error number.
fn answer(request: u32, node: u64, body: &[u8], made: &mut Vec<String>) -> Result<Vec<u8>, i32> {
    let name = |body: &[u8]| {
        let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
        String::from_utf8_lossy(&body[..end]).into_owned()
    };
    match request {
        INIT => {
            // Version 7.31, and a largest write; 64 bytes in all.
            let mut bytes = [7u32, 31].map(u32::to_ne_bytes).concat();
            bytes.resize(20, 0);
            bytes.extend(4096u32.to_ne_bytes());
            bytes.resize(64, 0);
            Ok(bytes)
        }
        LOOKUP => {
            let at = made.iter().position(|made| *made == name(body));
            at.map(|at| entry(ROOT + 1 + at as u64)).ok_or(libc::ENOENT)
        }
        MKNOD => {
            // A `fuse_mknod_in` of 16 bytes comes before the name.
            made.push(name(&body[16..]));
            Ok(entry(ROOT + made.len() as u64))
        }
        UNLINK => {
            let name = name(body);
            made.iter_mut()
                .filter(|made| **made == name)
                .for_each(|made| made.clear());
            Ok(Vec::new())
        }
        GETATTR => Ok([vec![0; 16], attributes(node)].concat()),
        OPEN => Ok(vec![0; 16]),
        STATFS => Ok(vec![0; 80]),
        RELEASE => Ok(Vec::new()),
        _ => Err(libc::ENOSYS),
    }
}

/// Answers requests until the file system is gone.
fn serve(mut device: File, names: &Mutex<Vec<String>>) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(length) = device.read(&mut buffer) {
        let half = |at: usize| u32::from_ne_bytes(buffer[at..at + 4].try_into().unwrap());
        let word = |at: usize| u64::from_ne_bytes(buffer[at..at + 8].try_into().unwrap());
        let (request, unique, node) = (half(4), word(8), word(16));
        if request == FORGET || request == BATCH_FORGET {
            continue;
        }
        let mut made = names.lock().unwrap();
        let (error, body) = match answer(request, node, &buffer[40..length], &mut made) {
            Ok(body) => (0, body),
            Err(error) => (-error, Vec::new()),
        };
        drop(made);
        let length = 16 + body.len() as u32;
        let head = [length.to_ne_bytes(), error.to_ne_bytes()].concat();
        let _ = device.write(&[head, unique.to_ne_bytes().to_vec(), body].concat());
    }
}

#[test]
fn a_userspace_file_system_is_refused_with_the_reason_and_nothing_stays_there() {
    let test = "fuse::a_userspace_file_system_is_refused_with_the_reason_and_nothing_stays_there";
    with_own_mounts(test, |_, folder| {
        let device = match File::options().read(true).write(true).open("/dev/fuse") {
            Ok(device) => device,
            Err(error) => return skip(&format!("no userspace file systems here: {error}")),
        };
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        if let Err(error) = mount("none", folder, "fuse", 0, &options) {
            return skip(&format!("no userspace file system can be mounted here: {error}"));
        }
        let names = Arc::new(Mutex::new(vec![THERE.to_owned()]));
        let served = Arc::clone(&names);
        std::thread::spawn(move || serve(device, &served));
        let (there, new) = (folder.join(THERE), folder.join("new"));
        for error in [
            compact().open_at(&there).unwrap_err(),
            compact().open_or_create_at(&there).unwrap_err(),
            Reader::open_path(&there).unwrap_err(),
            compact().create_at(&new).unwrap_err(),
            compact().open_or_create_at(&new).unwrap_err(),
        ] {
            assert!(
                matches!(
                    &error,
                    OpenError::FileSystem {
                        file_system: "FUSE",
                        ..
                    }
                ),
                "{error:?}"
            );
            let text = error.to_string();
            assert!(
                text.contains("a userspace file system may stall a store"),
                "{text}"
            );
            assert!(text.contains("put the segment on tmpfs"), "{text}");
        }
        // A file is made to see where it is; its temporary name is taken away again.
        let names = names.lock().unwrap();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(
            names[0] == THERE && names[1..].iter().all(String::is_empty),
            "{names:?}"
        );
    });
}
