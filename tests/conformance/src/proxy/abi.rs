//! The functions of the ABI that modules call, in the module `env`.

use wasmtime::{Caller, Extern, Linker};

use super::memory::{CallOut, Headers, Local, Memory, Written, pack, unpack};

const OK: i32 = 0;
const NOT_FOUND: i32 = 1;
const BAD_ARGUMENT: i32 = 2;
const EMPTY: i32 = 7;
const CAS_MISMATCH: i32 = 8;
const INTERNAL_FAILURE: i32 = 10;

/// The proxy as a function of the ABI sees it.
type Proxy<'a> = Caller<'a, Memory>;

/// What a function of the ABI answers: a status that is not `OK` is an error here.
type Status = Result<(), i32>;

fn code(status: Status) -> i32 {
    status.err().unwrap_or(OK)
}

fn read(proxy: &mut Proxy<'_>, at: i32, length: i32) -> Result<Vec<u8>, i32> {
    let memory = proxy.get_export("memory").and_then(Extern::into_memory).ok_or(INTERNAL_FAILURE)?;
    let (at, length) = (at as u32 as usize, length as u32 as usize);
    let end = at.checked_add(length).ok_or(BAD_ARGUMENT)?;
    memory.data(&proxy).get(at..end).map(<[u8]>::to_vec).ok_or(BAD_ARGUMENT)
}

fn write(proxy: &mut Proxy<'_>, at: i32, bytes: &[u8]) -> Status {
    let memory = proxy.get_export("memory").and_then(Extern::into_memory).ok_or(INTERNAL_FAILURE)?;
    memory.write(proxy, at as u32 as usize, bytes).map_err(|_| BAD_ARGUMENT)
}

/// Puts bytes into memory that the module's own allocator gives, and says where they are.
fn give(proxy: &mut Proxy<'_>, bytes: &[u8], data: i32, size: i32) -> Status {
    let allocator =
        ["malloc", "proxy_on_memory_allocate"].into_iter().find_map(|name| proxy.get_export(name));
    let allocate = allocator.and_then(Extern::into_func).ok_or(INTERNAL_FAILURE)?;
    let allocate = allocate.typed::<i32, i32>(&*proxy).map_err(|_| INTERNAL_FAILURE)?;
    let length = i32::try_from(bytes.len()).map_err(|_| BAD_ARGUMENT)?;
    let at = allocate.call(&mut *proxy, length).map_err(|_| INTERNAL_FAILURE)?;
    write(proxy, at, bytes)?;
    write(proxy, data, &at.to_le_bytes())?;
    write(proxy, size, &length.to_le_bytes())
}

fn map_of<'p>(proxy: &'p mut Proxy<'_>, map: i32) -> Result<&'p mut Headers, i32> {
    let map = usize::try_from(map).map_err(|_| BAD_ARGUMENT)?;
    proxy.data_mut().maps.get_mut(map).ok_or(BAD_ARGUMENT)
}

fn name(proxy: &mut Proxy<'_>, at: i32, length: i32) -> Result<String, i32> {
    let bytes = read(proxy, at, length)?;
    String::from_utf8(bytes).map(|name| name.to_ascii_lowercase()).map_err(|_| BAD_ARGUMENT)
}

/// Defines them all. What a module asks for besides is a trap.
///
/// # Errors
/// When one is defined twice.
pub fn define(linker: &mut Linker<Memory>) -> wasmtime::Result<()> {
    plain(linker)?;
    buffers(linker)?;
    headers(linker)?;
    properties(linker)?;
    shared_data(linker)?;
    streams(linker)?;
    metrics(linker)
}

fn plain(linker: &mut Linker<Memory>) -> wasmtime::Result<()> {
    linker.func_wrap("env", "proxy_log", |mut proxy: Proxy<'_>, level: i32, at: i32, length: i32| {
        code(read(&mut proxy, at, length).map(|text| {
            let line = String::from_utf8_lossy(&text).into_owned();
            proxy.data_mut().log.push((level as u32, line));
        }))
    })?;
    linker.func_wrap("env", "proxy_get_log_level", |mut proxy: Proxy<'_>, level: i32| {
        code(write(&mut proxy, level, &0_i32.to_le_bytes()))
    })?;
    let now = |mut proxy: Proxy<'_>, at: i32| {
        let now = proxy.data().now;
        code(write(&mut proxy, at, &now.to_le_bytes()))
    };
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", now)?;
    let tick = |mut proxy: Proxy<'_>, period: i32| {
        proxy.data_mut().tick = period as u32;
        OK
    };
    linker.func_wrap("env", "proxy_set_tick_period_milliseconds", tick)?;
    linker.func_wrap("env", "proxy_set_effective_context", |mut proxy: Proxy<'_>, context: i32| {
        proxy.data_mut().context = context as u32;
        OK
    })?;
    linker.func_wrap("env", "proxy_done", || OK)?;
    Ok(())
}

fn buffers(linker: &mut Linker<Memory>) -> wasmtime::Result<()> {
    let get = |mut proxy: Proxy<'_>, of: i32, start: i32, most: i32, data: i32, size: i32| {
        let mut get = || {
            let memory = proxy.data();
            let buffer = match of {
                7 => &memory.configuration,
                of => memory.buffers.get(of as usize).ok_or(BAD_ARGUMENT)?,
            };
            let (start, most) = (start as u32 as usize, most as u32 as usize);
            let end = start.saturating_add(most).min(buffer.len());
            let bytes = buffer.get(start..end).ok_or(BAD_ARGUMENT)?.to_vec();
            if bytes.is_empty() {
                return Err(NOT_FOUND);
            }
            give(&mut proxy, &bytes, data, size)
        };
        code(get())
    };
    linker.func_wrap("env", "proxy_get_buffer_bytes", get)?;
    let set = |mut proxy: Proxy<'_>, of: i32, start: i32, size: i32, data: i32, length: i32| {
        let mut set = || {
            let bytes = read(&mut proxy, data, length)?;
            let buffer = proxy.data_mut().buffers.get_mut(of as usize).ok_or(BAD_ARGUMENT)?;
            let (start, size) = (start as u32 as usize, size as u32 as usize);
            match (start, size) {
                (0, 0) => drop(buffer.splice(0..0, bytes)),
                (0, size) if size >= buffer.len() => *buffer = bytes,
                (start, _) if start >= buffer.len() => buffer.extend(bytes),
                _ => return Err(BAD_ARGUMENT),
            }
            Ok(())
        };
        code(set())
    };
    linker.func_wrap("env", "proxy_set_buffer_bytes", set)?;
    Ok(())
}

fn headers(linker: &mut Linker<Memory>) -> wasmtime::Result<()> {
    let pairs = |mut proxy: Proxy<'_>, map: i32, data: i32, size: i32| {
        let packed = map_of(&mut proxy, map).map(|map| pack(map));
        code(packed.and_then(|packed| give(&mut proxy, &packed, data, size)))
    };
    linker.func_wrap("env", "proxy_get_header_map_pairs", pairs)?;
    let set_pairs = |mut proxy: Proxy<'_>, map: i32, data: i32, size: i32| {
        let mut set = || {
            let headers = unpack(&read(&mut proxy, data, size)?).ok_or(BAD_ARGUMENT)?;
            *map_of(&mut proxy, map)? = headers;
            Ok(())
        };
        code(set())
    };
    linker.func_wrap("env", "proxy_set_header_map_pairs", set_pairs)?;
    let value = |mut proxy: Proxy<'_>, map: i32, at: i32, length: i32, data: i32, size: i32| {
        let mut value = || {
            let name = name(&mut proxy, at, length)?;
            let found = map_of(&mut proxy, map)?.iter().find(|(of, _)| *of == name);
            let value = found.map(|(_, value)| value.clone()).ok_or(NOT_FOUND)?;
            give(&mut proxy, &value, data, size)
        };
        code(value())
    };
    linker.func_wrap("env", "proxy_get_header_map_value", value)?;
    let remove = |mut proxy: Proxy<'_>, map: i32, at: i32, length: i32| {
        let mut remove = || {
            let name = name(&mut proxy, at, length)?;
            map_of(&mut proxy, map)?.retain(|(of, _)| *of != name);
            Ok(())
        };
        code(remove())
    };
    linker.func_wrap("env", "proxy_remove_header_map_value", remove)?;
    let put = |replace: bool| {
        move |mut proxy: Proxy<'_>, map: i32, at: i32, length: i32, data: i32, size: i32| {
            let mut put = || {
                let name = name(&mut proxy, at, length)?;
                let value = read(&mut proxy, data, size)?;
                let map = map_of(&mut proxy, map)?;
                if replace {
                    map.retain(|(of, _)| *of != name);
                }
                map.push((name, value));
                Ok(())
            };
            code(put())
        }
    };
    linker.func_wrap("env", "proxy_replace_header_map_value", put(true))?;
    linker.func_wrap("env", "proxy_add_header_map_value", put(false))?;
    Ok(())
}

fn properties(linker: &mut Linker<Memory>) -> wasmtime::Result<()> {
    let get = |mut proxy: Proxy<'_>, at: i32, length: i32, data: i32, size: i32| {
        let mut get = || {
            let path = read(&mut proxy, at, length)?;
            let value = proxy.data().properties.get(&path).cloned().ok_or(NOT_FOUND)?;
            give(&mut proxy, &value, data, size)
        };
        code(get())
    };
    linker.func_wrap("env", "proxy_get_property", get)?;
    let set = |mut proxy: Proxy<'_>, at: i32, length: i32, data: i32, size: i32| {
        let mut set = || {
            let path = read(&mut proxy, at, length)?;
            let value = read(&mut proxy, data, size)?;
            proxy.data_mut().properties.insert(path, value);
            Ok(())
        };
        code(set())
    };
    linker.func_wrap("env", "proxy_set_property", set)?;
    Ok(())
}

fn shared_data(linker: &mut Linker<Memory>) -> wasmtime::Result<()> {
    let get = |mut proxy: Proxy<'_>, at: i32, length: i32, data: i32, size: i32, cas: i32| {
        let mut get = || {
            let key = read(&mut proxy, at, length)?;
            let found = proxy.data().shared().get(&key).map_err(|_| INTERNAL_FAILURE)?;
            let (value, version) = found.ok_or(NOT_FOUND)?;
            give(&mut proxy, &value, data, size)?;
            write(&mut proxy, cas, &version.to_le_bytes())
        };
        code(get())
    };
    linker.func_wrap("env", "proxy_get_shared_data", get)?;
    let set = |mut proxy: Proxy<'_>, at: i32, length: i32, data: i32, size: i32, cas: i32| {
        let mut set = || {
            let key = read(&mut proxy, at, length)?;
            let value = read(&mut proxy, data, size)?;
            let kind = proxy.data().kind;
            let written = proxy.data().shared().set(kind, &key, &value, cas as u32);
            match written {
                Written::Yes => Ok(()),
                Written::Mismatch => Err(CAS_MISMATCH),
                Written::Down => Err(INTERNAL_FAILURE),
            }
        };
        code(set())
    };
    linker.func_wrap("env", "proxy_set_shared_data", set)?;
    Ok(())
}

fn streams(linker: &mut Linker<Memory>) -> wasmtime::Result<()> {
    linker.func_wrap("env", "proxy_continue_stream", |mut proxy: Proxy<'_>, stream: i32| {
        match proxy.data_mut().resumed.get_mut(stream as usize) {
            Some(resumed) => {
                *resumed = true;
                OK
            }
            None => BAD_ARGUMENT,
        }
    })?;
    linker.func_wrap("env", "proxy_send_local_response", local_response)?;
    linker.func_wrap("env", "proxy_http_call", http_call)?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn local_response(
    mut proxy: Proxy<'_>,
    status: i32,
    _details: i32,
    _details_length: i32,
    body: i32,
    body_length: i32,
    headers: i32,
    headers_length: i32,
    _grpc_status: i32,
) -> i32 {
    let mut send = || {
        let body = read(&mut proxy, body, body_length)?;
        let headers = unpack(&read(&mut proxy, headers, headers_length)?).ok_or(BAD_ARGUMENT)?;
        let status = u16::try_from(status).map_err(|_| BAD_ARGUMENT)?;
        let local = &mut proxy.data_mut().local;
        if local.is_some() {
            return Err(BAD_ARGUMENT);
        }
        *local = Some(Local { status, headers, body });
        Ok(())
    };
    code(send())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn http_call(
    mut proxy: Proxy<'_>,
    _upstream: i32,
    _upstream_length: i32,
    headers: i32,
    headers_length: i32,
    body: i32,
    body_length: i32,
    _trailers: i32,
    _trailers_length: i32,
    _timeout: i32,
    token: i32,
) -> i32 {
    let mut call = || {
        let headers = unpack(&read(&mut proxy, headers, headers_length)?).ok_or(BAD_ARGUMENT)?;
        let body = read(&mut proxy, body, body_length)?;
        let memory = proxy.data_mut();
        memory.tokens += 1;
        let (number, context) = (memory.tokens, memory.context);
        memory.calls.push(CallOut { token: number, context, headers, body });
        write(&mut proxy, token, &number.to_le_bytes())
    };
    code(call())
}

fn metrics(linker: &mut Linker<Memory>) -> wasmtime::Result<()> {
    let define = |mut proxy: Proxy<'_>, kind: i32, at: i32, length: i32, id: i32| {
        let mut define = || {
            let name = String::from_utf8(read(&mut proxy, at, length)?).map_err(|_| BAD_ARGUMENT)?;
            let metrics = &mut proxy.data_mut().metrics;
            let number = metrics.iter().position(|(of, _, _)| *of == name).unwrap_or(metrics.len());
            if number == metrics.len() {
                metrics.push((name, kind as u32, 0));
            }
            write(&mut proxy, id, &u32::try_from(number).map_err(|_| BAD_ARGUMENT)?.to_le_bytes())
        };
        code(define())
    };
    linker.func_wrap("env", "proxy_define_metric", define)?;
    linker.func_wrap("env", "proxy_increment_metric", |mut proxy: Proxy<'_>, id: i32, by: i64| {
        let metric = proxy.data_mut().metrics.get_mut(id as usize);
        code(metric.map(|(_, _, value)| *value += by).ok_or(NOT_FOUND))
    })?;
    linker.func_wrap("env", "proxy_record_metric", |mut proxy: Proxy<'_>, id: i32, value: i64| {
        // A histogram counts its observations, a gauge is what was recorded last.
        let metric = proxy.data_mut().metrics.get_mut(id as usize);
        code(metric.map(|(_, kind, sum)| *sum = if *kind == 2 { *sum + 1 } else { value }).ok_or(NOT_FOUND))
    })?;
    linker.func_wrap("env", "proxy_get_metric", |mut proxy: Proxy<'_>, id: i32, at: i32| {
        let value = proxy.data().metrics.get(id as usize).map(|(_, _, value)| *value);
        code(value.ok_or(EMPTY).and_then(|value| write(&mut proxy, at, &value.to_le_bytes())))
    })?;
    Ok(())
}
