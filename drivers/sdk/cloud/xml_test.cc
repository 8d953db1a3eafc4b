#include "drivers/sdk/cloud/xml.h"

#include <gtest/gtest.h>

#include <string>

namespace machine::driver {
namespace {

TEST(XmlTest, ReadsWhatIsThereAndEmptyWhatIsNot) {
  const auto root = ParseXml(
      "<?xml version=\"1.0\"?><s:a xmlns:s=\"urn:x\"><s:b "
      "xsi:type=\"T\">1</s:b><b>2</b><c/></s:a>");
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(root->name(), "a");
  EXPECT_EQ(root->Text("b"), "1");
  EXPECT_EQ(root->Child("b").Attribute("type"), "T");
  EXPECT_EQ(ParseXml("<a xsi:type=\"S\" type=\"T\"/>")->Attribute("type"), "T");
  EXPECT_EQ(ParseXml("<a type=\"S\" i:type=\"n:T\"/>")->XsiType(), "T");
  EXPECT_EQ(ParseXml("<a type=\"S\"/>")->XsiType(), "");
  ASSERT_EQ(root->Children("b").size(), 2);
  EXPECT_EQ(root->Children("b")[1]->text(), "2");
  EXPECT_TRUE(root->Has("c"));
  EXPECT_FALSE(root->Has("d"));
  EXPECT_EQ(root->Child("d").Child("e").Attribute("f"), "");
}

TEST(XmlTest, WhatIsNoXmlIsNothing) {
  EXPECT_FALSE(ParseXml("").has_value());
  EXPECT_FALSE(ParseXml("<a><b></a>").has_value());
  EXPECT_FALSE(ParseXml("502 Bad Gateway").has_value());
}

TEST(XmlTest, WritesWhatIsReadAgain) {
  const std::string text = "a<b>&\"c'\r\n\td";
  const auto root = ParseXml(XmlNode("x", XmlLeaf("y", text, {{"z", text}})));
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(root->Text("y"), text);
  EXPECT_EQ(root->Child("y").Attribute("z"), text);
  EXPECT_EQ(XmlNode("x", ""), "<x/>");
  EXPECT_EQ(XmlEscape(std::string("a\0b\x01", 4)), "ab");
}

}  // namespace
}  // namespace machine::driver
