DROP TABLE chat_session_search;
DROP TABLE chat_session_lexemes;
DROP TABLE chat_message_search;
DROP TABLE chat_message_lexemes;
