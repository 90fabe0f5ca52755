-- PPSPP (RFC 7574) for Wireshark and tshark 4, in Lua. How to install and use it: README.md.
--
-- What a HANDSHAKE says about addressing, hashes, signatures and chunk size holds for the channel
-- that it opens; datagrams of unknown channels are read by the preferences.

local ppspp = Proto("ppspp", "Peer-to-Peer Streaming Peer Protocol")

local addressing_names = { [0] = "bin32", "byte64", "chunk32", "bin64", "chunk64" }
local hash_names = { [0] = "sha1", "sha224", "sha256", "sha384", "sha512" }
local hash_sizes = { [0] = 20, 28, 32, 48, 64 }
local integrity_names = { [0] = "none", "merkle-tree", "sign-all", "unified-merkle-tree" }
local signature_names = {
    [5] = "rsa-sha1", [8] = "rsa-sha256", [13] = "ecdsa-p256-sha256", [14] = "ecdsa-p384-sha384",
    [15] = "ed25519", [16] = "ed448",
}
-- RSA signatures are as long as the modulus (RFC 3110).
local signature_sizes = { [13] = 64, [14] = 96, [15] = 64, [16] = 114 }
local message_names = {
    [0] = "HANDSHAKE", "DATA", "ACK", "HAVE", "INTEGRITY", "PEX_RESv4", "PEX_REQ",
    "SIGNED_INTEGRITY", "REQUEST", "CANCEL", "CHOKE", "UNCHOKE", "PEX_RESv6", "PEX_REScert",
}
local option_names = {
    [0] = "Version", "Minimum Version", "Swarm Identifier", "Content Integrity Protection Method",
    "Merkle Hash Tree Function", "Live Signature Algorithm", "Chunk Addressing Method",
    "Live Discard Window", "Supported Messages", "Chunk Size", [255] = "End Option",
}
local all_ones_32 = UInt64.new(0xffffffff)
local all_ones_64 = UInt64.new(0xffffffff, 0xffffffff)
local bin64_all = UInt64.new(0xffffffff, 0x7fffffff)
local chunk_size_variable = 0xffffffff
local swarm_id_size_max = 1024

local f = {
    channel = ProtoField.uint32("ppspp.channel", "Destination Channel", base.HEX),
    keep_alive = ProtoField.none("ppspp.keep_alive", "Keep-alive"),
    message = ProtoField.string("ppspp.message", "Message"),
    summary = ProtoField.string("ppspp.summary", "Summary"),
    type = ProtoField.uint8("ppspp.type", "Type", base.DEC, message_names),
    source = ProtoField.uint32("ppspp.handshake.source", "Source Channel", base.HEX),
    option = ProtoField.uint8("ppspp.option", "Option", base.DEC, option_names),
    version = ProtoField.uint8("ppspp.option.version", "Version"),
    minimum = ProtoField.uint8("ppspp.option.minimum_version", "Minimum Version"),
    swarm = ProtoField.bytes("ppspp.option.swarm", "Swarm Identifier"),
    integrity = ProtoField.uint8("ppspp.option.integrity", "Content Integrity Protection Method",
        base.DEC, integrity_names),
    hash_function = ProtoField.uint8("ppspp.option.hash", "Merkle Hash Tree Function", base.DEC,
        hash_names),
    algorithm = ProtoField.uint8("ppspp.option.signature", "Live Signature Algorithm", base.DEC,
        signature_names),
    addressing = ProtoField.uint8("ppspp.option.addressing", "Chunk Addressing Method", base.DEC,
        addressing_names),
    window = ProtoField.uint64("ppspp.option.discard_window", "Live Discard Window"),
    supported = ProtoField.bytes("ppspp.option.supported", "Supported Messages"),
    chunk_size = ProtoField.uint32("ppspp.option.chunk_size", "Chunk Size"),
    first = ProtoField.uint64("ppspp.chunk.first", "First Chunk"),
    last = ProtoField.uint64("ppspp.chunk.last", "Last Chunk"),
    bin = ProtoField.uint64("ppspp.chunk.bin", "Bin"),
    sent_at = ProtoField.uint64("ppspp.data.timestamp", "Timestamp (us)"),
    payload = ProtoField.bytes("ppspp.data.chunk", "Chunk"),
    delay = ProtoField.int64("ppspp.ack.delay", "One-way Delay (us)"),
    hash = ProtoField.bytes("ppspp.integrity.hash", "Hash"),
    signed_at = ProtoField.absolute_time("ppspp.signed.time", "Signed at", base.UTC),
    signature = ProtoField.bytes("ppspp.signed.signature", "Signature"),
    peer_v4 = ProtoField.ipv4("ppspp.pex.ipv4", "Peer Address"),
    peer_v6 = ProtoField.ipv6("ppspp.pex.ipv6", "Peer Address"),
    peer_port = ProtoField.uint16("ppspp.pex.port", "Peer Port"),
    certificate = ProtoField.bytes("ppspp.pex.certificate", "Membership Certificate"),
}
ppspp.fields = f

local malformed = ProtoExpert.new("ppspp.malformed", "Invalid message", expert.group.MALFORMED,
    expert.severity.ERROR)
ppspp.experts = { malformed }

local function choices(names)
    local list = {}
    for value = 0, #names do
        list[#list + 1] = { value + 1, names[value], value }
    end
    return list
end

ppspp.prefs.addressing = Pref.enum("Chunk addressing", 2, "Of channels whose HANDSHAKE was not seen",
    choices(addressing_names), false)
ppspp.prefs.hash = Pref.enum("Hash function", 2, "Of channels whose HANDSHAKE was not seen",
    choices(hash_names), false)
ppspp.prefs.signature_size = Pref.uint("Signature size", 64, "Bytes, for the same channels")
ppspp.prefs.chunk_size = Pref.uint("Chunk size", 1024, "Bytes, for the same channels; 0 = variable")
ppspp.prefs.port = Pref.uint("UDP port", 6778, "Always read as PPSPP; 0 = none. RFC 7574 has none")

-- ---- what is known of channels -------------------------------------------------------------------

local formats = {}         -- by receiver and channel
local newest_format = nil  -- of the HANDSHAKE read last
local format_of_frame = {} -- by frame number: frames are read again in any order

function ppspp.init()
    formats = {}
    newest_format = nil
    format_of_frame = {}
end

local function preferred_format()
    local chunk_size = ppspp.prefs.chunk_size
    return {
        addressing = ppspp.prefs.addressing,
        hash_size = hash_sizes[ppspp.prefs.hash],
        signature_size = ppspp.prefs.signature_size,
        chunk_size = chunk_size == 0 and chunk_size_variable or chunk_size,
    }
end

local function copy(format)
    local other = {}
    for name, value in pairs(format) do
        other[name] = value
    end
    return other
end

local function channel_key(address, port, channel)
    return string.format("%s|%d|%08x", tostring(address), port, channel)
end

local function format_for(pinfo, channel)
    if not pinfo.visited then
        local known = formats[channel_key(pinfo.dst, pinfo.dst_port, channel)]
        format_of_frame[pinfo.number] = known or newest_format or preferred_format()
    end
    return copy(format_of_frame[pinfo.number] or preferred_format())
end

-- ---- reading --------------------------------------------------------------------------------------

-- Errors of the datagram are thrown as tables, so that they are told from those of this script.
local function refuse(reason)
    error({ reason = reason }, 0)
end

local Reader = {}
Reader.__index = Reader

function Reader.new(buffer)
    return setmetatable({ buffer = buffer, at = 0 }, Reader)
end

function Reader:left()
    return self.buffer:len() - self.at
end

function Reader:take(count)
    if count > self:left() then
        refuse("truncated")
    end
    local range = self.buffer(self.at, count)
    self.at = self.at + count
    return range
end

-- An empty range cannot be made, hence the text.
local function hex_of(range)
    return range and range:bytes():tohex(true) or ""
end

local function take_bytes(reader, tree, field, count)
    if count == 0 then
        return nil
    end
    local range = reader:take(count)
    tree:add(field, range)
    return range
end

local function take_uint(reader, tree, field, size)
    local range = reader:take(size)
    tree:add(field, range)
    return range:uint()
end

-- ---- chunk specifications (RFC 7574 §4) -------------------------------------------------------------

-- Number of trailing ones and the chunks of a bin; UInt64 all along.
local function chunks_of_bin(bin)
    local rest, layer = bin, 0
    while rest:band(1) == UInt64.new(1) do
        rest = rest:rshift(1)
        layer = layer + 1
    end
    local offset = rest:rshift(1)
    local first = offset:lshift(layer)
    return first, first + UInt64.new(1):lshift(layer) - UInt64.new(1)
end

local function take_bin(reader, tree, size)
    local range = reader:take(size)
    local bin = range:uint64()
    tree:add(f.bin, range, bin)
    if bin == (size == 4 and all_ones_32 or all_ones_64) then
        refuse("bad_range")
    end
    local first, last
    if bin == bin64_all then
        first, last = UInt64.new(0), bin64_all
    else
        first, last = chunks_of_bin(bin)
    end
    tree:add(f.first, range, first):set_generated()
    tree:add(f.last, range, last):set_generated()
    return first, last
end

local function take_spec(reader, tree, format)
    if format.addressing == 0 then
        return take_bin(reader, tree, 4)
    elseif format.addressing == 3 then
        return take_bin(reader, tree, 8)
    end
    local size = format.addressing == 2 and 4 or 8
    local first_range, last_range = reader:take(size), reader:take(size)
    local first, last = first_range:uint64(), last_range:uint64()
    tree:add(f.first, first_range, first)
    tree:add(f.last, last_range, last)
    if first > last or last == (size == 4 and all_ones_32 or all_ones_64) then
        refuse("bad_range")
    end
    return first, last
end

local function spec_text(first, last)
    if first == last then
        return " " .. tostring(first)
    end
    return " " .. tostring(first) .. ".." .. tostring(last)
end

-- ---- options (§7) -----------------------------------------------------------------------------------

local function named(names, value)
    if not names[value] then
        refuse("bad_option")
    end
    return names[value]
end

-- RFC 3110 §2: exponent length in one byte, or 0 and two bytes; exponent; modulus.
local function rsa_modulus_size(id)
    local at, length = 2, id:get_index(1)
    if length == 0 then
        length = id:get_index(2) * 256 + id:get_index(3)
        at = 4
    end
    local size = id:len() - at - length
    return size >= 64 and size <= 512 and length > 0 and size or nil
end

local function adopt_signature(format, options)
    if signature_sizes[options.algorithm] then
        format.signature_size = signature_sizes[options.algorithm]
    elseif options.swarm and options.swarm:len() > 4
        and options.swarm:get_index(0) == options.algorithm then
        format.signature_size = rsa_modulus_size(options.swarm) or format.signature_size
    end
end

local function supported_text(range)
    if not range then
        return "nothing"
    end
    local bytes, names = range:bytes(), {}
    for type = 0, bytes:len() * 8 - 1 do
        local byte = bytes:get_index(math.floor(type / 8))
        if math.floor(byte / 2 ^ (7 - type % 8)) % 2 == 1 then
            names[#names + 1] = message_names[type] or tostring(type)
        end
    end
    return #names > 0 and table.concat(names, " ") or "nothing"
end

local option_readers = {
    [0] = function(reader, tree)
        return "version " .. take_uint(reader, tree, f.version, 1)
    end,
    [1] = function(reader, tree)
        return "minimum version " .. take_uint(reader, tree, f.minimum, 1)
    end,
    [2] = function(reader, tree, _, options)
        local size = reader:take(2):uint()
        if size > swarm_id_size_max then
            refuse("bad_option")
        end
        local range = take_bytes(reader, tree, f.swarm, size)
        options.swarm = range and range:bytes() or nil
        return "swarm " .. hex_of(range)
    end,
    [3] = function(reader, tree)
        return "integrity " .. named(integrity_names, take_uint(reader, tree, f.integrity, 1))
    end,
    [4] = function(reader, tree, format)
        local value = take_uint(reader, tree, f.hash_function, 1)
        local name = named(hash_names, value)
        format.hash_size = hash_sizes[value]
        return "hash " .. name
    end,
    [5] = function(reader, tree, format, options)
        options.algorithm = take_uint(reader, tree, f.algorithm, 1)
        local name = named(signature_names, options.algorithm)
        adopt_signature(format, options)
        return "signature " .. name
    end,
    [6] = function(reader, tree, format, options)
        local value = take_uint(reader, tree, f.addressing, 1)
        local name = named(addressing_names, value)
        format.addressing = value
        options.addressing = value
        return "addressing " .. name
    end,
    [7] = function(reader, tree, _, options)
        if not options.addressing then
            refuse("bad_option") -- its width is that of the addressing method
        end
        local is_narrow = options.addressing == 0 or options.addressing == 2
        local range = reader:take(is_narrow and 4 or 8)
        local window = range:uint64()
        tree:add(f.window, range, window)
        local is_all = window == (is_narrow and all_ones_32 or all_ones_64)
        return "discard window " .. (is_all and "all" or tostring(window))
    end,
    [8] = function(reader, tree)
        local size = reader:take(1):uint()
        if size > 32 then
            refuse("bad_option")
        end
        return "supports " .. supported_text(take_bytes(reader, tree, f.supported, size))
    end,
    [9] = function(reader, tree, format)
        local value = take_uint(reader, tree, f.chunk_size, 4)
        if value == 0 then
            refuse("bad_option")
        end
        format.chunk_size = value
        return "chunk size " .. (value == chunk_size_variable and "variable" or tostring(value))
    end,
}

local function take_options(reader, tree, format)
    local text, options, previous = "", {}, -1
    while true do
        local range = reader:take(1)
        local code = range:uint()
        local branch = tree:add(f.option, range)
        if code == 255 then
            return text, previous
        end
        local in_order = code > previous and (previous >= 0 or code == 0)
        if not in_order or not option_readers[code] then
            refuse("bad_option")
        end
        previous = code
        text = text .. ", " .. option_readers[code](reader, branch, format, options)
    end
end

-- ---- messages (§8) ----------------------------------------------------------------------------------

local function utc_text(seconds, micros)
    return os.date("!%Y-%m-%dT%H:%M:%S", seconds) .. string.format(".%06dZ", micros)
end

-- The era that puts the time between 1968 and 2104 (RFC 4330 §3).
local function ntp_to_unix(seconds)
    local unix = seconds - 2208988800
    return seconds < 2 ^ 31 and unix + 2 ^ 32 or unix
end

local function bytes_text(range, shown)
    local size = range and range:len() or 0
    if size > shown then
        return size .. " bytes " .. hex_of(range(0, shown)) .. "..."
    end
    return size .. " bytes " .. hex_of(range)
end

-- RFC 5952: IPv4-mapped addresses are written as IPv4.
local function address_text(range)
    local bytes = range:bytes()
    local prefix = bytes:tohex(true):sub(1, 24)
    if prefix == "00000000000000000000ffff" then
        return tostring(range(12, 4):ipv4()), true
    end
    return tostring(range:ipv6()), false
end

local function spec_message(reader, tree, state)
    local first, last = take_spec(reader, tree, state.format)
    return spec_text(first, last)
end

-- How many bytes of a chunk follow (§8.6): with byte addressing the range tells, with a fixed chunk
-- size another DATA may follow one of just that size.
local function chunk_bytes(reader, state, first, last)
    local is_fixed = state.format.chunk_size ~= chunk_size_variable
    local size = reader:left()
    if state.format.addressing == 1 then
        local count = (last - first + UInt64.new(1)):tonumber()
        if is_fixed and count > state.format.chunk_size then
            refuse("bad_chunk")
        elseif count > size then
            refuse("truncated")
        end
        size = count
    elseif first ~= last then
        refuse("bad_range")
    elseif is_fixed and size > state.format.chunk_size then
        size = state.format.chunk_size
    end
    local is_last = size == reader:left()
    local is_alone = is_last and not state.data_seen
    if size == 0 or (not is_alone and not (is_fixed and size == state.format.chunk_size)) then
        refuse("bad_chunk")
    end
    if not is_last and reader.buffer(reader.at + size, 1):uint() > 13 then
        refuse("bad_chunk")
    end
    return size
end

local message_readers = {
    [0] = function(reader, tree, state)
        if not state.is_first then
            refuse("misplaced")
        end
        local source = take_uint(reader, tree, f.source, 4)
        local head = source == 0 and " closing" or string.format(" from 0x%08x", source)
        if source == 0 and reader:left() == 0 then
            return head
        end
        local format = copy(state.format)
        local text, last_option = take_options(reader, tree, format)
        if source == 0 and last_option > 0 or source ~= 0 and last_option < 0 then
            refuse("bad_option") -- a closing one says its version at most, others at least
        end
        state.format = format
        state.source = source
        return head .. text
    end,
    [1] = function(reader, tree, state)
        local first, last = take_spec(reader, tree, state.format)
        local range = reader:take(8)
        local sent_at = range:uint64()
        tree:add(f.sent_at, range, sent_at)
        local chunk = reader:take(chunk_bytes(reader, state, first, last))
        tree:add(f.payload, chunk)
        state.data_seen = true
        local million = UInt64.new(1000000)
        return string.format("%s, sent at %s.%06d s, %s", spec_text(first, last),
            tostring(sent_at / million), (sent_at % million):tonumber(), bytes_text(chunk, 16))
    end,
    [2] = function(reader, tree, state)
        local spec = spec_message(reader, tree, state)
        local range = reader:take(8)
        tree:add(f.delay, range)
        return spec .. ", one-way delay " .. tostring(range:int64()) .. " us"
    end,
    [3] = spec_message,
    [4] = function(reader, tree, state)
        local spec = spec_message(reader, tree, state)
        return spec .. ", hash " .. hex_of(take_bytes(reader, tree, f.hash, state.format.hash_size))
    end,
    [5] = function(reader, tree)
        local address = reader:take(4)
        tree:add(f.peer_v4, address)
        return " " .. tostring(address:ipv4()) .. ":" .. take_uint(reader, tree, f.peer_port, 2)
    end,
    [6] = function() return "" end,
    [7] = function(reader, tree, state)
        local spec = spec_message(reader, tree, state)
        local range = reader:take(8)
        local seconds = ntp_to_unix(range(0, 4):uint())
        local micros = math.floor(range(4, 4):uint() * 1000000 / 2 ^ 32 + 0.5)
        if micros == 1000000 then
            seconds, micros = seconds + 1, 0
        end
        tree:add(f.signed_at, range, NSTime.new(seconds, micros * 1000))
        local signature = take_bytes(reader, tree, f.signature, state.format.signature_size)
        return spec .. ", signed at " .. utc_text(seconds, micros) .. ", signature "
            .. hex_of(signature)
    end,
    [8] = spec_message,
    [9] = spec_message,
    [10] = function() return "" end,
    [11] = function() return "" end,
    [12] = function(reader, tree)
        local address = reader:take(16)
        tree:add(f.peer_v6, address)
        local port = take_uint(reader, tree, f.peer_port, 2)
        local text, is_v4 = address_text(address)
        return (is_v4 and " " .. text or " [" .. text .. "]") .. ":" .. port
    end,
    [13] = function(reader, tree)
        local size = reader:take(2):uint()
        return " " .. bytes_text(take_bytes(reader, tree, f.certificate, size), 16)
    end,
}

local function take_message(reader, tree, state)
    local start = reader.at
    local type = reader.buffer(start, 1):uint()
    local name = message_names[type]
    if not name then
        refuse("unknown_message")
    end
    local branch = tree:add(f.message, reader.buffer(start), name)
    branch:add(f.type, reader:take(1))
    local text = name .. message_readers[type](reader, branch, state)
    branch:set_len(reader.at - start)
    branch:set_text(text)
    branch:add(f.summary, reader.buffer(start, reader.at - start), text):set_generated()
    state.is_first = false
    state.last_type = type
    return name, text
end

-- Reads one datagram. Names of its messages, and why the rest could not be read.
local function read_datagram(buffer, tree, state)
    local reader, names = Reader.new(buffer), {}
    reader:take(4)
    local good, problem = pcall(function()
        while reader:left() > 0 do
            state.at = reader.at
            names[#names + 1] = take_message(reader, tree, state)
        end
        if state.data_seen and state.last_type ~= 1 then
            state.at = reader.at
            refuse("misplaced")
        end
    end)
    if good then
        return names
    elseif type(problem) ~= "table" then
        error(problem, 0) -- not the datagram's fault
    end
    return names, problem.reason
end

local function remember(pinfo, state)
    if not pinfo.visited and state.source and state.source ~= 0 then
        formats[channel_key(pinfo.src, pinfo.src_port, state.source)] = state.format
        newest_format = state.format
    end
end

function ppspp.dissector(buffer, pinfo, tree)
    if buffer:len() < 4 then
        return 0
    end
    local channel = buffer(0, 4):uint()
    pinfo.cols.protocol = "PPSPP"
    local top = tree:add(ppspp, buffer())
    top:add(f.channel, buffer(0, 4))
    if buffer:len() == 4 then
        top:add(f.keep_alive, buffer(0, 4))
        pinfo.cols.info = string.format("0x%08x keep-alive", channel)
        return 4
    end
    local state = { format = format_for(pinfo, channel), is_first = true, at = 4 }
    local names, reason = read_datagram(buffer, top, state)
    remember(pinfo, state)
    pinfo.cols.info = string.format("0x%08x %s", channel, table.concat(names, " "))
    if reason then
        local text = string.format("invalid from byte %d: %s", state.at, reason)
        top:add_tvb_expert_info(malformed, buffer(math.min(state.at, buffer:len() - 1)), text)
        pinfo.cols.info:append(" [" .. text .. "]")
    end
    return buffer:len()
end

-- ---- which datagrams --------------------------------------------------------------------------------

-- A tree that shows nothing, for reading ahead.
local nothing = {}
nothing.add = function() return nothing end
nothing.set_generated = function() return nothing end
nothing.set_len = nothing.add
nothing.set_text = nothing.add

-- Either a HANDSHAKE to channel 0 that names its swarm, every message of the datagram valid, or a
-- channel that such a conversation opened. Everything else belongs to others.
local function looks_like_ppspp(buffer, pinfo)
    if buffer:len() < 4 then
        return false
    end
    local channel = buffer(0, 4):uint()
    if formats[channel_key(pinfo.dst, pinfo.dst_port, channel)] then
        return true
    end
    if channel ~= 0 or buffer:len() < 16 or buffer(4, 1):uint() ~= 0 then
        return false
    end
    local state = { format = preferred_format(), is_first = true, at = 4 }
    local _, reason = read_datagram(buffer, nothing, state)
    return not reason and state.source ~= nil and state.source ~= 0
end

local function heuristic(buffer, pinfo, tree)
    if not looks_like_ppspp(buffer, pinfo) then
        return false
    end
    ppspp.dissector(buffer, pinfo, tree)
    pinfo.conversation = ppspp
    return true
end

ppspp:register_heuristic("udp", heuristic)

local udp_ports = DissectorTable.get("udp.port")
local own_port = 0

local function use_port()
    if own_port ~= ppspp.prefs.port then
        if own_port > 0 then
            udp_ports:remove(own_port, ppspp)
        end
        own_port = ppspp.prefs.port
        if own_port > 0 then
            udp_ports:add(own_port, ppspp)
        end
    end
end

ppspp.prefs_changed = use_port
udp_ports:add_for_decode_as(ppspp)
use_port()
