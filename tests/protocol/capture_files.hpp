#pragma once

#include "protocol/base/bytes.hpp"

#include <array>
#include <fstream>
#include <string>
#include <vector>

/// Frames and capture files for tests.
namespace ppsp::tools::test {

inline ByteVector joined(std::initializer_list<ByteVector> parts)
{
    ByteVector all;
    for (ByteVector const& part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

inline ByteVector udp(ByteVector const& payload, std::uint16_t from = 6778, std::uint16_t to = 6779)
{
    ByteVector packet;
    ByteWriter writer{packet};
    writer.u16(from);
    writer.u16(to);
    writer.u16(static_cast<std::uint16_t>(8 + payload.size()));
    writer.u16(0);
    writer.bytes(payload);
    return packet;
}

/// 192.0.2.1 to 192.0.2.2, or back.
inline ByteVector ipv4(ByteVector const& content, std::uint16_t fragment = 0, bool back = false,
                       std::uint8_t protocol = 17)
{
    ByteVector packet;
    ByteWriter writer{packet};
    writer.u16(0x4500);
    writer.u16(static_cast<std::uint16_t>(20 + content.size()));
    writer.u16(1);
    writer.u16(fragment);
    writer.u8(64);
    writer.u8(protocol);
    writer.u16(0);
    writer.u32(back ? 0xc0000202 : 0xc0000201);
    writer.u32(back ? 0xc0000201 : 0xc0000202);
    writer.bytes(content);
    return packet;
}

/// 2001:db8::1 to 2001:db8::2; `content` begins with the header of kind `next`.
inline ByteVector ipv6(ByteVector const& content, std::uint8_t next = 17)
{
    ByteVector packet;
    ByteWriter writer{packet};
    writer.u32(0x60000000);
    writer.u16(static_cast<std::uint16_t>(content.size()));
    writer.u8(next);
    writer.u8(64);
    for (std::uint64_t const last : {1U, 2U}) {
        writer.u64(0x20010db800000000);
        writer.u64(last);
    }
    writer.bytes(content);
    return packet;
}

inline ByteVector ethernet(std::uint16_t type, ByteVector const& packet)
{
    ByteVector frame(12, 0x02);
    ByteWriter writer{frame};
    writer.u16(type);
    writer.bytes(packet);
    return frame;
}

/// Numbers in the byte order of the writing machine, as capture files have them.
class FileWriter {
public:
    FileWriter& u16(std::uint16_t value) { return little(value, 2); }
    FileWriter& u32(std::uint32_t value) { return little(value, 4); }
    FileWriter& bytes(Bytes value)
    {
        content_.insert(content_.end(), value.begin(), value.end());
        return *this;
    }
    /// Zeros up to a multiple of four.
    FileWriter& pad()
    {
        content_.resize((content_.size() + 3) / 4 * 4);
        return *this;
    }
    [[nodiscard]] ByteVector const& content() const { return content_; }

private:
    FileWriter& little(std::uint32_t value, int count)
    {
        for (int i = 0; i < count; ++i) {
            content_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
        }
        return *this;
    }
    ByteVector content_;
};

/// Frame n at 2026-01-01 00:00:00 UTC and n microseconds.
constexpr std::uint32_t capture_time = 1'767'225'600;

inline ByteVector pcap(std::uint32_t link, std::vector<ByteVector> const& frames)
{
    FileWriter file;
    file.u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(65'535).u32(link);
    std::uint32_t number = 0;
    for (ByteVector const& frame : frames) {
        auto const size = static_cast<std::uint32_t>(frame.size());
        file.u32(capture_time).u32(number++).u32(size).u32(size).bytes(frame);
    }
    return file.content();
}

inline ByteVector pcapng(std::uint16_t link, std::vector<ByteVector> const& frames)
{
    FileWriter file;
    file.u32(0x0a0d0d0a).u32(28).u32(0x1a2b3c4d).u16(1).u16(0).u32(~0U).u32(~0U).u32(28);
    file.u32(1).u32(20).u16(link).u16(0).u32(65'535).u32(20);
    std::uint64_t time = std::uint64_t{capture_time} * 1'000'000;
    for (ByteVector const& frame : frames) {
        auto const size = static_cast<std::uint32_t>(frame.size());
        std::uint32_t const block = 32 + (size + 3) / 4 * 4;
        file.u32(6).u32(block).u32(0);
        file.u32(static_cast<std::uint32_t>(time >> 32)).u32(static_cast<std::uint32_t>(time));
        file.u32(size).u32(size).bytes(frame).pad().u32(block);
        ++time;
    }
    return file.content();
}

/// Writes a file into the build folder and returns its path.
inline std::string file_with(std::string const& name, Bytes content)
{
    std::string const path = std::string(PPSP_BINARY_DIR) + "/" + name;
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<char const*>(content.data()),
               static_cast<std::streamsize>(content.size()));
    return path;
}

} // namespace ppsp::tools::test
