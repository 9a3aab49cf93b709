// s if s.matches("SSEAlgorithm") /* SSEAlgorithm com.example#Thing$SSEAlgorithm */
