"""The HL7 v2 wire: what comes in over MLLP is read here and handed to the services, what goes out is built and sent."""
