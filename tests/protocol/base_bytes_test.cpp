#include "protocol/base/bytes.hpp"
#include "protocol/base/spare_buffers.hpp"

#include <gtest/gtest.h>

namespace ppsp {
namespace {

TEST(BaseBytes, integers_are_big_endian)
{
    ByteVector bytes;
    ByteWriter writer(bytes);
    writer.u8(0x01);
    writer.u16(0x0203);
    writer.u32(0x04050607);
    writer.u64(0x08090a0b0c0d0e0f);
    writer.bytes(ByteVector{0xff, 0xfe});
    EXPECT_EQ(writer.size(), 17u);
    EXPECT_EQ(to_hex(bytes), "0102030405060708090a0b0c0d0e0ffffe");

    ByteReader reader(bytes);
    EXPECT_EQ(reader.u8(), 0x01);
    EXPECT_EQ(reader.u16(), 0x0203);
    EXPECT_EQ(reader.u32(), 0x04050607u);
    EXPECT_EQ(reader.u64(), 0x08090a0b0c0d0e0fu);
    EXPECT_EQ(to_hex(reader.take(2).value()), "fffe");
    EXPECT_TRUE(reader.empty());
}

TEST(BaseBytes, high_bits_survive)
{
    ByteVector const bytes(15, 0xff);
    ByteReader reader(bytes);
    EXPECT_EQ(reader.u64(), ~std::uint64_t{0});
    EXPECT_EQ(reader.u32(), ~std::uint32_t{0});
    EXPECT_EQ(reader.u16(), 0xffff);
    EXPECT_EQ(reader.u8(), 0xff);
}

TEST(BaseBytes, a_read_past_the_end_leaves_the_reader_where_it_was)
{
    ByteVector const bytes{1, 2, 3, 4, 5, 6, 7};
    ByteReader reader(bytes);
    EXPECT_FALSE(reader.u64());
    EXPECT_FALSE(reader.take(8));
    EXPECT_EQ(reader.remaining(), 7u);
    EXPECT_EQ(reader.u32(), 0x01020304u);
    EXPECT_FALSE(reader.u32());
    EXPECT_EQ(reader.u16(), 0x0506);
    EXPECT_FALSE(reader.u16());
    EXPECT_EQ(reader.u8(), 7);
    EXPECT_FALSE(reader.u8());
    EXPECT_TRUE(reader.take(0));
    EXPECT_FALSE(reader.take(1));
}

TEST(BaseBytes, an_empty_span_reads_as_nothing)
{
    ByteReader reader({});
    EXPECT_TRUE(reader.empty());
    EXPECT_FALSE(reader.u8());
    EXPECT_TRUE(reader.take(0)->empty());
}

TEST(BaseBytes, hex_both_ways)
{
    ByteVector const bytes{0x00, 0x7f, 0x80, 0xff};
    EXPECT_EQ(to_hex(bytes), "007f80ff");
    EXPECT_EQ(from_hex("007f80ff"), bytes);
    EXPECT_EQ(from_hex("007F80Ff"), bytes);
    EXPECT_EQ(from_hex(""), ByteVector{});
}

TEST(BaseBytes, what_is_not_hex_is_refused)
{
    for (std::string_view const text :
         {"0", "000", "0g", "g0", " 0", "0x", "0:", "/0", "@0", "`0"}) {
        EXPECT_FALSE(from_hex(text)) << text;
    }
}

TEST(BaseBytes, text_as_bytes)
{
    EXPECT_EQ(to_hex(as_bytes("Az")), "417a");
}

TEST(SpareBuffersTest, gives_memory_without_its_content)
{
    SpareBuffers spare;
    ByteVector buffer(1000, 0xff);
    auto const* const place = buffer.data();
    spare.give(std::move(buffer));
    ByteVector const again = spare_buffer(&spare);
    EXPECT_TRUE(again.empty());
    EXPECT_EQ(again.capacity(), 1000u);
    EXPECT_EQ(again.data(), place);
    EXPECT_EQ(spare_buffer(&spare).capacity(), 0u);
    EXPECT_EQ(spare_buffer(nullptr).capacity(), 0u);
}

TEST(SpareBuffersTest, keeps_some)
{
    SpareBuffers spare;
    spare.give({});
    EXPECT_EQ(spare.size(), 0u);
    for (std::size_t i = 0; i < SpareBuffers::count_max + 1; ++i) {
        spare.give(ByteVector(1));
    }
    EXPECT_EQ(spare.size(), SpareBuffers::count_max);
}

} // namespace
} // namespace ppsp
