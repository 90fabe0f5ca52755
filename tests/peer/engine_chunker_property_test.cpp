#include "peer/chunker/chunker.hpp"

#include "tests/peer/ts_stream.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace ppsp::peer {
namespace {

using test::TsStream;

void add(ByteVector& all, Bytes bytes)
{
    all.insert(all.end(), bytes.begin(), bytes.end());
}

/// A packet of one of the kinds that a muxer writes, null packets included.
ByteVector packet_of(TsStream& stream, int kind)
{
    switch (kind) {
    case 0:
        return stream.pat();
    case 1:
        return stream.pmt(0x1b);
    case 2:
        return stream.video(true);
    case 3:
        return stream.video(false);
    case 4:
        return {ts::null_packet().begin(), ts::null_packet().end()};
    case 5:
        return stream.audio();
    default:
        return stream.video_rest();
    }
}

ByteVector without_null_packets(Bytes aligned)
{
    ByteVector kept;
    for (; aligned.size() >= ts::packet_size; aligned = aligned.subspan(ts::packet_size)) {
        Bytes const packet = aligned.first(ts::packet_size);
        auto const parsed = ts::parse_packet(packet);
        RC_ASSERT(parsed.has_value());
        if (parsed->pid != ts::null_pid) {
            add(kept, packet);
        } else {
            RC_ASSERT(std::equal(packet.begin(), packet.end(), ts::null_packet().begin()));
        }
    }
    // What is left over is the front of a null packet that reaches into a unit to come.
    RC_ASSERT(std::equal(aligned.begin(), aligned.end(), ts::null_packet().begin()));
    return kept;
}

struct Run {
    ByteVector input;
    std::vector<CutUnit> units;
    std::uint64_t padding = 0;
    ChunkId first{};
};

/// Feeds random packets in random pieces at random times and collects the units.
Run random_run()
{
    std::size_t const chunks = std::size_t{8} << *rc::gen::inRange(0, 4);
    Run run;
    run.first = restart_chunk(ChunkId{*rc::gen::inRange<std::uint64_t>(0, 1U << 31)}, chunks);
    Chunker chunker{{.chunks_per_unit = chunks, .first = run.first, .unit_time = 50ms}};
    TsStream stream;
    for (int const kind : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 12))) {
        int const repeat = kind > 6 ? *rc::gen::inRange(1, 60) : 1;
        for (int i = 0; i < repeat; ++i) {
            add(run.input, packet_of(stream, kind));
        }
    }
    TimePoint now{};
    auto const drain = [&] {
        while (auto unit = chunker.poll(now)) {
            run.units.push_back(std::move(*unit));
        }
    };
    for (Bytes rest = run.input; !rest.empty();) {
        auto const piece = std::min(rest.size(), *rc::gen::inRange<std::size_t>(1, 5000));
        chunker.append(now, rest.first(piece));
        rest = rest.subspan(piece);
        now +=
            std::chrono::milliseconds{*rc::gen::weightedElement<int>({{8, 5}, {1, 120}, {1, 400}})};
        drain();
    }
    chunker.finish();
    drain();
    run.padding = chunker.padding_bytes();
    RC_ASSERT(chunker.skipped_bytes() == 0U);
    RC_ASSERT(chunker.dropped_packets() == 0U);
    for (CutUnit const& unit : run.units) {
        RC_ASSERT(unit.payload.size() == chunks * chunk_bytes);
    }
    return run;
}

RC_GTEST_PROP(ChunkerProperty, NothingButNullPacketsIsAdded, ())
{
    Run const run = random_run();
    ByteVector output;
    for (CutUnit const& unit : run.units) {
        RC_ASSERT(to_number(unit.first) * chunk_bytes ==
                  to_number(run.first) * chunk_bytes + output.size());
        add(output, unit.payload);
    }
    ByteVector const kept = without_null_packets(output);
    RC_ASSERT(kept == without_null_packets(run.input));
    std::size_t const padding_inside = output.size() - kept.size();
    RC_ASSERT(padding_inside <= run.padding);
    RC_ASSERT(run.padding - padding_inside < ts::packet_size);
}

RC_GTEST_PROP(ChunkerProperty, EveryJoinerFindsPacketsByArithmetic, ())
{
    for (CutUnit const& unit : random_run().units) {
        for (std::size_t chunk = 0; chunk * chunk_bytes < unit.payload.size(); ++chunk) {
            std::size_t at = chunk * chunk_bytes + first_packet_offset(unit.first + chunk);
            for (; at < unit.payload.size(); at += ts::packet_size) {
                RC_ASSERT(unit.payload[at] == ts::sync_byte);
            }
        }
    }
}

RC_GTEST_PROP(ChunkerProperty, AMarkedUnitStartsAViewer, ())
{
    Run const run = random_run();
    for (std::size_t i = 0; i < run.units.size(); ++i) {
        if (!run.units[i].random_access) {
            continue;
        }
        ByteVector from_here;
        for (std::size_t j = i; j < run.units.size(); ++j) {
            add(from_here, run.units[j].payload);
        }
        Bytes rest = Bytes{from_here}.subspan(run.units[i].random_access_offset);
        ts::ProgramMap program;
        RC_ASSERT(program.learn(*ts::parse_packet(rest.first(ts::packet_size))) ==
                  ts::ProgramMap::Seen::pat);
        bool starts = false;
        while (!starts && rest.size() >= ts::packet_size) {
            auto const packet = *ts::parse_packet(rest.first(ts::packet_size));
            starts =
                program.learn(packet) == ts::ProgramMap::Seen::key_stream && packet.random_access;
            rest = rest.subspan(ts::packet_size);
        }
        RC_ASSERT(starts);
    }
}

} // namespace
} // namespace ppsp::peer
