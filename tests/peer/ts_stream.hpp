#pragma once

#include "peer/chunker/ts_packet.hpp"

#include <algorithm>
#include <initializer_list>
#include <map>

namespace ppsp::test {

inline ByteVector concat(std::initializer_list<ByteVector> parts)
{
    ByteVector all;
    for (ByteVector const& part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

/// Builds single transport packets of a program with one video and one audio stream.
class TsStream {
public:
    static constexpr ts::Pid pmt_pid{0x1000};
    static constexpr ts::Pid video_pid{0x100};
    static constexpr ts::Pid audio_pid{0x101};

    ByteVector pat()
    {
        return table(ts::pat_pid, {0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00, //
                                   0x00, 0x01, 0xf0, 0x00});
    }

    ByteVector pmt(std::uint8_t video_type)
    {
        return table(pmt_pid,
                     {0x02, 0xb0,       0x17, 0x00, 0x01, 0xc1, 0x00, 0x00, 0xe1, 0x00, 0xf0,
                      0x00, video_type, 0xe1, 0x00, 0xf0, 0x00, 0x0f, 0xe1, 0x01, 0xf0, 0x00});
    }

    /// First packet of a picture.
    ByteVector video(bool is_key, std::uint64_t time = 0)
    {
        ByteVector packet = begin(video_pid, true, 0x30);
        packet.insert(packet.end(), {1, static_cast<std::uint8_t>(is_key ? 0x40 : 0x00)});
        packet.insert(packet.end(), {0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5});
        packet.push_back(static_cast<std::uint8_t>(0x21 | ((time >> 29) & 0x0e)));
        packet.push_back(static_cast<std::uint8_t>(time >> 22));
        packet.push_back(static_cast<std::uint8_t>((time >> 14) | 1));
        packet.push_back(static_cast<std::uint8_t>(time >> 7));
        packet.push_back(static_cast<std::uint8_t>((time << 1) | 1));
        return fill(std::move(packet));
    }

    ByteVector video_rest() { return fill(begin(video_pid, false, 0x10)); }
    ByteVector audio() { return fill(begin(audio_pid, false, 0x10)); }

private:
    ByteVector begin(ts::Pid pid, bool payload_start, std::uint8_t control)
    {
        auto const number = static_cast<std::uint16_t>(pid);
        auto const count = static_cast<std::uint8_t>(counters_[number]++ & 0x0f);
        return {ts::sync_byte, static_cast<std::uint8_t>((payload_start ? 0x40 : 0) | number >> 8),
                static_cast<std::uint8_t>(number), static_cast<std::uint8_t>(control | count)};
    }

    /// A picture's bytes: different in every packet, so that a lost or doubled one shows.
    ByteVector fill(ByteVector packet)
    {
        while (packet.size() < ts::packet_size) {
            packet.push_back(static_cast<std::uint8_t>(noise_ >> 24));
            noise_ = noise_ * 1664525U + 1013904223U;
        }
        return packet;
    }

    ByteVector table(ts::Pid pid, ByteVector section)
    {
        std::uint32_t const crc = ts::section_crc(section);
        for (int shift = 24; shift >= 0; shift -= 8) {
            section.push_back(static_cast<std::uint8_t>(crc >> shift));
        }
        ByteVector packet = begin(pid, true, 0x10);
        packet.push_back(0);
        packet.insert(packet.end(), section.begin(), section.end());
        packet.resize(ts::packet_size, 0xff);
        return packet;
    }

    std::map<std::uint16_t, unsigned> counters_;
    std::uint32_t noise_ = 1;
};

} // namespace ppsp::test
