#pragma once

#include "protocol/wire/datagram.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

/// Reading and writing whole datagrams, for tests.
namespace ppsp::test {

struct Reading {
    std::vector<wire::Message> messages;
    std::optional<wire::DecodeError> error;
    wire::SwarmFormat format; ///< as the reader left it
};

/// All messages up to the end or the first error. The bytes must outlive the messages.
inline Reading read_all(Bytes datagram, wire::SwarmFormat format)
{
    Reading reading;
    wire::DatagramReader reader(datagram, format);
    for (;;) {
        auto message = reader.next();
        reading.format = reader.format();
        if (!message) {
            reading.error = message.error();
            return reading;
        }
        if (!*message) {
            return reading;
        }
        reading.messages.push_back(std::move(**message));
    }
}

/// The only message of a datagram with nothing else.
inline Result<wire::Message, wire::DecodeError> read_one(Bytes datagram, wire::SwarmFormat format)
{
    Reading reading = read_all(datagram, format);
    if (reading.error) {
        return failure(*reading.error);
    }
    EXPECT_EQ(reading.messages.size(), 1u);
    return std::move(reading.messages.at(0));
}

inline ByteVector write_all(ChannelId destination, wire::SwarmFormat format,
                            std::vector<wire::Message> const& messages)
{
    wire::DatagramWriter writer(destination, format, 65'535);
    for (auto const& message : messages) {
        EXPECT_TRUE(writer.add(message));
    }
    return writer.take();
}

/// A message as the only one of a datagram to channel 1.
inline ByteVector in_datagram(Bytes message)
{
    ByteVector datagram{0, 0, 0, 1};
    datagram.insert(datagram.end(), message.begin(), message.end());
    return datagram;
}

inline ByteVector hex(std::string_view text)
{
    std::string digits(text);
    std::erase(digits, ' ');
    return from_hex(digits).value();
}

} // namespace ppsp::test
